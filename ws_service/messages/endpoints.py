"""`POST /emit`: one unnumbered message, now. Any service that can post can push."""

from fastapi import APIRouter, Depends, Request

from shared.emitter_api import EMIT_PATH, Message, Reached
from ws_service.calls import Body, parse, require_secret
from ws_service.errors import Malformed
from ws_service.sockets.sockets import Sockets

router = APIRouter(dependencies=[Depends(require_secret)], tags=["messages"])


@router.post(EMIT_PATH)
async def emit(body: Body, request: Request) -> Reached:
    """Send a message to everyone, or to the sockets of the named topics."""
    sockets: Sockets = request.app.state.sockets
    message = parse(Message, body)
    try:
        return Reached(reached=sockets.emit(message))
    except TypeError as error:
        # orjson's word for a number that JSON readers have no room for.
        raise Malformed(f"payload: {error}") from None
