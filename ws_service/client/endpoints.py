"""`GET <socket path>/client.js`: the module with which a page listens, and the stock client that it imports."""

from fastapi import APIRouter, Request, Response

from shared.browser import CLIENT
from shared.serving.kept_file import kept_file
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


async def module(request: Request) -> Response:
    """Serve a file of the client module, as it is."""
    engine: Engine = request.app.state.sockets.server.eio
    response = kept_file(CLIENT[request.url.path.rpartition("/")[2]], request, _HEADERS)
    response.headers.update({**_HEADERS, **dict(engine.cors_headers(EngineRequest.of_scope(request.scope)))})
    return response


for _name in CLIENT:
    router.add_api_route(f"/{_name}", module, methods=["GET", "HEAD"])
