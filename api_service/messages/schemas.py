"""What a message to clients looks like, and whom it can be for."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticSerializationError, to_json

from shared.emitter_api import MAX_TO, AckTimeoutMs
from shared.rooms import EventName, check_subject, is_private

_TOPIC = re.compile(r"[a-z][a-z0-9-]*(:[A-Za-z0-9_.@:-]+)?", re.ASCII)
_MAX_LENGTH = 120


def _check_recipient(recipient: str) -> str:
    kind, _, name = recipient.partition(":")
    if kind in {"user", "device"}:
        check_subject(name)
    elif kind != "topic" or not _TOPIC.fullmatch(name) or is_private(name):
        raise ValueError("use user:<sub>, device:<sub> or topic:<topic>")
    return recipient


# For the documentation: what is wrong is said in better words than a pattern's.
_PATTERN = r"^((user|device):[A-Za-z0-9._@-]{1,100}|topic:(?!user:|device:)[a-z][a-z0-9-]*(:[A-Za-z0-9_.@:-]+)?)$"

Recipient = Annotated[
    str, Field(max_length=_MAX_LENGTH, json_schema_extra={"pattern": _PATTERN}), AfterValidator(_check_recipient)
]


def _check_payload(payload: JsonValue) -> JsonValue:
    # JSON can name half of a surrogate pair (RFC 8259, section 8.2), which no UTF-8 has: it could not be sent on.
    try:
        to_json(payload)
    except PydanticSerializationError:
        raise ValueError("halves of surrogate pairs are not allowed") from None
    return payload


class Message(BaseModel):
    """A message without a number: heard now, or never."""

    model_config = ConfigDict(extra="forbid")

    event: EventName
    payload: Annotated[JsonValue, AfterValidator(_check_payload)] = None
    to: Annotated[list[Recipient], Field(min_length=1, max_length=MAX_TO, examples=[["device:42", "topic:products"]])]
    ack_timeout_ms: AckTimeoutMs | None = None


def room_of(recipient: str) -> str:
    """Return the emitter's name for a recipient."""
    return recipient.removeprefix("topic:")
