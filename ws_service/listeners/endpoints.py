"""`GET <socket path>/sse`, and what is said to who comes to `<socket path>/raw` without a websocket."""

from fastapi import APIRouter, Request, Response

from shared.serving.http.errors import HttpError
from ws_service.engine.requests import EngineRequest
from ws_service.errors import UpgradeRequired
from ws_service.listeners.listeners import Listeners
from ws_service.listeners.sse import EventStream

router = APIRouter(tags=["listeners"])


@router.get("/sse", response_class=EventStream, status_code=200)
async def sse(request: Request) -> EventStream:
    """Stream events: `topics=a,b`, and `after` or `Last-Event-ID` to go on where one was."""
    listeners: Listeners = request.app.state.listeners
    asked = _asked(request)
    cors = dict(listeners.engine.cors_headers(asked))
    try:
        return EventStream(listeners, await listeners.welcome(asked, is_sse=True), cors)
    except HttpError as error:
        error.headers = {**(error.headers or {}), **cors}
        raise


@router.options("/sse")
async def sse_preflight(request: Request) -> Response:
    """Tell a browser what a page of another origin may send."""
    listeners: Listeners = request.app.state.listeners
    return Response(status_code=204, headers=dict(listeners.engine.cors_headers(_asked(request))))


@router.get("/raw", status_code=426, response_class=Response)
async def raw() -> None:
    """Say how to come."""
    raise UpgradeRequired("connect with a websocket: ws:// or wss://", headers={"Upgrade": "websocket"})


def _asked(request: Request) -> EngineRequest:
    return EngineRequest.of_scope(request.scope)
