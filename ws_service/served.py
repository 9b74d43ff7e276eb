"""What is served beside the sockets, for pages and programs."""

from fastapi import Request, Response

from shared.serving.kept_file import Kept
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest

_HEADERS = {
    # Kept, but asked for again each time: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
    # Whose pages may read it is in the answer.
    "Vary": "Origin",
    "X-Content-Type-Options": "nosniff",
}


def serve(kept: Kept, request: Request) -> Response:
    """Answer with what is kept, and say which pages may read it."""
    engine: Engine = request.app.state.sockets.server.eio
    return kept.answer(request, {**_HEADERS, **dict(engine.cors_headers(EngineRequest.of_scope(request.scope)))})
