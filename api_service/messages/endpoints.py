"""`POST /messages`: tell some clients something now, wherever they are connected."""

from typing import Annotated, cast

from fastapi import Depends, Request

from api_service.callers import Caller, guarded_router
from api_service.messages.messenger import Messenger
from api_service.messages.schemas import Message
from shared.emitter_api import Reached
from shared.identity.identity import MESSAGES_SEND

PATH = "/messages"

router = guarded_router(MESSAGES_SEND, prefix=PATH, tags=["messages"])


# A coroutine, although it does not wait: a plain function would be sent to a thread, for every request.
async def _messenger(request: Request) -> Messenger:
    return cast(Messenger, request.app.state.messenger)


@router.post("", response_model_exclude_defaults=True)
async def send(message: Message, caller: Caller, messenger: Annotated[Messenger, Depends(_messenger)]) -> Reached:
    """Send a message to users, devices or topics; with `ack_timeout_ms`, say who acknowledged it, and with what."""
    return await messenger.send(message, caller)
