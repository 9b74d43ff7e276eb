"""`POST /emit`: one unnumbered message, now. Any service that can post can push."""

import orjson
from fastapi import APIRouter, Request

from shared.emitter_api import EMIT_PATH, Message, Reached
from shared.openapi import reference_to
from shared.serving.http.errors import Invalid
from ws_service.calls import SERVICES, Body, parse
from ws_service.messages.courier import Courier
from ws_service.messages.dispatch import Dispatch

router = APIRouter(dependencies=SERVICES, tags=["messages"])


@router.post(EMIT_PATH, response_model_exclude_defaults=True, openapi_extra=reference_to(Message))
async def emit(body: Body, request: Request) -> Reached:
    """Send a message to everyone, or to the sockets in the named rooms and topics."""
    courier: Courier = request.app.state.courier
    return await courier.send(_dispatch(parse(Message, body)))


def _dispatch(message: Message) -> Dispatch:
    try:
        payload = orjson.dumps(message.payload)
    except TypeError as error:
        # orjson's word for a number that JSON readers have no room for.
        raise Invalid(f"payload: {error}") from None
    to = None if message.to is None else tuple(message.to)
    return Dispatch(message.event, payload, to=to, ack_timeout_ms=message.ack_timeout_ms)
