"""`GET <socket path>/client.js`: the module with which a page listens, and the stock client that it imports."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from shared.browser import CLIENT
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest

_HEADERS = {
    # Kept, but asked for again each time: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
    # Whose pages may import it is in the answer.
    "Vary": "Origin",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)
_conditions = StaticFiles()


async def module(request: Request) -> Response:
    """Serve a file of the client module, as it is."""
    content, etag = _read(CLIENT[request.url.path.rpartition("/")[2]])
    engine: Engine = request.app.state.sockets.server.eio
    response = Response(content, media_type="text/javascript", headers={"ETag": etag, **_HEADERS})
    if _conditions.is_not_modified(response.headers, request.headers):
        response = NotModifiedResponse(response.headers)
    response.headers.update({**_HEADERS, **dict(engine.cors_headers(EngineRequest.of_scope(request.scope)))})
    return response


for _name in CLIENT:
    router.add_api_route(f"/{_name}", module, methods=["GET", "HEAD"])


@cache
def _read(file: Path) -> tuple[bytes, str]:
    content = file.read_bytes()
    # Of what is in it: an image may have been built with the same time for all its files.
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
