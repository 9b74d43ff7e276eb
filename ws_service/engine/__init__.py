"""python-socketio on uvicorn, extended where that is needed. Nobody else touches private parts of the former."""

from ws_service.engine import seams as seams
