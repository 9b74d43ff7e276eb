"""What clients send: the handshake's `auth`, `subscribe`, `unsubscribe` and `authenticate`."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationInfo
from pydantic.config import JsonDict

from shared.events import PRODUCTS, Position
from shared.events import Offset as OffsetText
from shared.identity.tokens import MAX_TOKEN_LENGTH
from shared.metrics import limited
from ws_service.topics.topics import MAX_TOPIC_LENGTH, PATTERN, Choice, check_topic


def _offset(value: Any) -> Position:
    if not isinstance(value, str):
        raise ValueError("an offset is a string")  # noqa: TRY004  # pydantic reports ValueError alone
    return Position.parse(value)


def _choice(info: ValidationInfo) -> Choice:
    choice: Choice | None = info.context
    return choice or Choice()


def _topic(topic: str, info: ValidationInfo) -> str:
    return check_topic(topic, _choice(info).unnumbered)


def _not_too_many(topics: Any, info: ValidationInfo) -> Any:
    # Before each of them is looked at.
    if isinstance(topics, list) and len(topics) > _choice(info).most:
        limited.labels("topics").inc()
        raise ValueError(f"at most {_choice(info).most} topics")
    return topics


# The context of the validation is a Choice.
_LOOKS: JsonDict = {"pattern": PATTERN, "maxLength": MAX_TOPIC_LENGTH}
Topic = Annotated[str, AfterValidator(_topic), Field(json_schema_extra=_LOOKS)]
Token = Annotated[str, Field(max_length=MAX_TOKEN_LENGTH)]
Topics = Annotated[list[Topic], Field(min_length=1), BeforeValidator(_not_too_many)]
Offset = Annotated[Position, PlainValidator(_offset, json_schema_input_type=OffsetText)]
"""`epoch:seq`, as it came with an event; read into a Position."""


class Handshake(BaseModel):
    """`auth` of a connecting socket. `pid` and `offset` are the stock JavaScript client's own, when it reconnects.

    `token` says who it is; `after`, from where on it wants to hear what was committed.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    topics: Topics = [PRODUCTS]
    after: Offset | None = None
    pid: Annotated[str, Field(max_length=200)] | None = None
    offset: Annotated[str, Field(max_length=200)] | None = None
    token: Token | None = None


class Subscribe(BaseModel):
    """More topics, with their past from `after` on if it is given."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    topics: Topics
    after: Offset | None = None


class Unsubscribe(BaseModel):
    """Topics that are not wanted any more."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    topics: Topics


class Authenticate(BaseModel):
    """A new token for a socket that goes on."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    token: Token
