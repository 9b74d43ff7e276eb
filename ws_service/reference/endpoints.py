"""`GET <socket path>/asyncapi.json`: what subscribers see, for programs. `make asyncapi` writes it."""

from functools import cache
from pathlib import Path

import orjson
from fastapi import APIRouter, Request, Response

from shared.serving.kept_file import Kept
from ws_service.served import serve
from ws_service.settings import Settings

_DOCUMENT = Path(__file__).parent / "asyncapi.json"

router = APIRouter(include_in_schema=False)


@router.api_route("/asyncapi.json", methods=["GET", "HEAD"])
async def asyncapi(request: Request) -> Response:
    """Serve the AsyncAPI document."""
    settings: Settings = request.app.state.settings
    return serve(_document(settings.socket_path), request)


@cache
def _document(socket_path: str) -> Kept:
    document = orjson.loads(_DOCUMENT.read_bytes())
    for server in document["servers"].values():
        server["variables"]["path"]["default"] = socket_path
    return Kept.of(orjson.dumps(document), "application/json")
