"""The private parts of libraries that this folder reaches into, and the versions in which they were read.

Another version may start only after someone has read these parts in it.
"""

from importlib.metadata import version

from shared.errors import StartupError

SEAMS = {
    # `AsyncServer._engineio_server_class`, which names the engine; the options go to the engine as they are.
    # `AsyncServer.handlers`, which `on` fills.
    # `AsyncManager.rooms` and `get_participants`, by which `emit` finds whom to send to.
    "python-socketio": "5.18.",
    # `AsyncServer.sockets`, `generate_id`, `_cors_allowed_origins` and `_cors_headers`; what `send_packet` is given.
    "python-engineio": "4.15.",
    # `HttpToolsProtocol.handle_websocket_upgrade`, called once the head of an upgrade request was read, with `scope`,
    # `url`, `headers`, `connections` and `transport` as they are then; what was received behind it is not handed on.
    # `ServerState.connections`, whose members are told to `shutdown` when the server ends.
    # `HttpToolsProtocol.on_message_begin`, which makes the `scope` that the request is answered with.
    "uvicorn": "0.54.",
}


def check_versions() -> None:
    """Raise StartupError where a library is not of the version that was read."""
    for name, prefix in SEAMS.items():
        if not version(name).startswith(prefix):
            raise StartupError(
                f"{name} {version(name)} is installed, and the engine was made for {prefix}x: install that"
            )


check_versions()
