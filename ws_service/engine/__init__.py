"""python-socketio on uvicorn, extended where that is needed: the only folder that touches their private parts."""

from ws_service.engine import seams as seams
