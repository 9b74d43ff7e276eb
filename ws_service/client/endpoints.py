"""`GET <socket path>/client.js`: the module with which a page listens, and the stock client that it imports."""

from fastapi import APIRouter, Request, Response

from shared.browser import CLIENT
from shared.serving.kept_file import kept_file
from ws_service.served import serve

router = APIRouter(include_in_schema=False)


async def module(request: Request) -> Response:
    """Serve a file of the client module, as it is."""
    return serve(kept_file(CLIENT[request.url.path.rpartition("/")[2]]), request)


for _name in CLIENT:
    router.add_api_route(f"/{_name}", module, methods=["GET", "HEAD"])
