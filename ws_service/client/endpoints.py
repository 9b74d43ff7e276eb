"""`GET <socket path>/client.js`: the module with which a page listens, and the stock client that it imports."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

import shared
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest

_OURS = Path(__file__).parent / "client.js"
_STOCK = Path(shared.__file__).parent / "browser/vendor/socket.io.esm.min.js"

_HEADERS = {
    # Kept, but asked for again each time: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
    # Whose pages may import it is in the answer.
    "Vary": "Origin",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)
_conditions = StaticFiles()


@router.api_route("/client.js", methods=["GET", "HEAD"])
async def client(request: Request) -> Response:
    """Serve our module, as it is in the npm package."""
    return _module(_OURS, request)


@router.api_route("/socket.io.js", methods=["GET", "HEAD"])
async def stock_client(request: Request) -> Response:
    """Serve what our module imports beside it: in the npm package that name stands for the stock client's package."""
    return _module(_STOCK, request)


def _module(file: Path, request: Request) -> Response:
    engine: Engine = request.app.state.sockets.server.eio
    content, etag = _read(file)
    response = Response(content, media_type="text/javascript", headers={"ETag": etag, **_HEADERS})
    if _conditions.is_not_modified(response.headers, request.headers):
        response = NotModifiedResponse(response.headers)
    response.headers.update({**_HEADERS, **dict(engine.cors_headers(EngineRequest.of_scope(request.scope)))})
    return response


@cache
def _read(file: Path) -> tuple[bytes, str]:
    content = file.read_bytes()
    # Of what is in it: an image may have been built with the same time for all its files.
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
