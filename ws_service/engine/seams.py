"""The private parts of libraries that this folder reaches into, and the versions in which they were read.

Another version may start only after someone has read these parts in it. uvicorn's:
`shared/serving/http/seams.py`.
"""

from shared.serving.http.seams import check_versions

SEAMS = {
    # `AsyncServer._engineio_server_class`, which names the engine; the options go to the engine as they are.
    # `AsyncServer.handlers`, which `on` fills.
    # `AsyncManager.rooms` and `get_participants`, by which `emit` finds whom to send to.
    "python-socketio": "5.18.",
    # `AsyncServer.sockets`, `generate_id`, `_cors_allowed_origins` and `_cors_headers`; what `send_packet` is given.
    "python-engineio": "4.15.",
}

check_versions(SEAMS)
