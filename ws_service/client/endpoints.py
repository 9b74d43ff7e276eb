"""`GET <socket path>/client.js`: the module with which a page listens, and the stock client that it imports."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

import shared
from ws_service.served import Served

_OURS = Path(__file__).parent / "client.js"
_STOCK = Path(shared.__file__).parent / "browser/vendor/socket.io.esm.min.js"

router = APIRouter(include_in_schema=False)


@router.api_route("/client.js", methods=["GET", "HEAD"])
async def client(request: Request) -> Response:
    """Serve our module, as it is in the npm package."""
    return _module(_OURS).answer(request)


@router.api_route("/socket.io.js", methods=["GET", "HEAD"])
async def stock_client(request: Request) -> Response:
    """Serve what our module imports beside it: in the npm package that name stands for the stock client's package."""
    return _module(_STOCK).answer(request)


@cache
def _module(file: Path) -> Served:
    return Served.of(file.read_bytes(), "text/javascript")
