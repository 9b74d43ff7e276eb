"""What clients send: the handshake's `auth`, `subscribe`, `unsubscribe` and `authenticate`."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo

from shared.events import PRODUCTS, Position
from shared.identity.tokens import MAX_TOKEN_LENGTH
from ws_service.sockets.topics import MAX_TOPICS, check_topic


def _offset(value: Any) -> Position:
    if not isinstance(value, str):
        raise ValueError("an offset is a string")  # noqa: TRY004  # pydantic reports ValueError alone
    return Position.parse(value)


def _topic(topic: str, info: ValidationInfo) -> str:
    return check_topic(topic, info.context or ())


# The context of the validation: the topics that there are beside those of the products.
Topic = Annotated[str, AfterValidator(_topic)]
Token = Annotated[str, Field(max_length=MAX_TOKEN_LENGTH)]
Topics = Annotated[list[Topic], Field(min_length=1, max_length=MAX_TOPICS)]
Offset = Annotated[Position, PlainValidator(_offset)]
"""`epoch:seq`, as it came with an event; read into a Position."""


class Handshake(BaseModel):
    """`auth` of a connecting socket. `pid` and `offset` are the stock JavaScript client's own, when it reconnects.

    `token` says who it is.
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
