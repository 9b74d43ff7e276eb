"""The private parts of uvicorn that this folder reaches into, and the version in which they were read.

Another version may start only after someone has read these parts in it.
"""

from collections.abc import Mapping
from importlib.metadata import version

from shared.errors import StartupError

SEAMS = {
    # `HttpToolsProtocol`: its callbacks, which httptools calls while it reads; `scope`, `url`, `headers`, `app`,
    # `cycle`, `pipeline`, `flow`, `connections`, `tasks` and `transport` as they are then;
    # `_unset_keepalive_if_required`, `_should_upgrade` and `timeout_keep_alive_handler`.
    # `RequestResponseCycle`: `response_started`, `response_complete`, `disconnected`, `keep_alive`, `message_event`.
    # `ServerState.connections`, whose members are told to `shutdown` when the server ends; `default_headers`.
    "uvicorn": "0.54.",
}


def check_versions(seams: Mapping[str, str]) -> None:
    """Raise StartupError where a library is not of the version that was read."""
    for name, prefix in seams.items():
        if not version(name).startswith(prefix):
            raise StartupError(
                f"{name} {version(name)} is installed, and Storecast was made for {prefix}x: install that"
            )


check_versions(SEAMS)
