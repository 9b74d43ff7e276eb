"""The emitter's internal HTTP contract: what the relay posts and what the emitter answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.events import Event
from shared.rooms import EventName

EVENTS_PATH = "/events"
POSITION_PATH = "/events/position"
EMIT_PATH = "/emit"

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1024 * 1024

MAX_TO = 1_000
MAX_ACK_TIMEOUT_MS = 60_000


class Batch(BaseModel):
    """Consecutive events of one epoch.

    With `history` they are for an emitter without memory: kept, never broadcast. The hand-over is closed by the
    batch that carries `position`, the number of the last event that was handed over.
    """

    model_config = ConfigDict(frozen=True)

    epoch: Annotated[str, Field(min_length=1, max_length=64)]
    events: list[Event] = []
    history: bool = False
    position: Annotated[int, Field(ge=0)] | None = None


class EmitterPosition(BaseModel):
    """How far the emitter has come; `position` is null while it has no memory. The only truth about delivery."""

    model_config = ConfigDict(frozen=True)

    epoch: str | None
    position: int | None


class Message(BaseModel):
    """One unnumbered message, now, to everyone or to the named rooms and topics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: EventName
    payload: JsonValue = None
    to: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=MAX_TO)] | None = None
    ack_timeout_ms: (
        Annotated[
            int, Field(ge=1, le=MAX_ACK_TIMEOUT_MS, description="ask for acknowledgements, and wait so long for them")
        ]
        | None
    ) = None


class Recipient(BaseModel):
    """A socket that a message was sent to; `user` is the `sub` of its token."""

    sid: str
    node: str
    user: str | None


class Acknowledgement(Recipient):
    """What a socket answered: the arguments with which the client called the acknowledgement."""

    answer: list[JsonValue]


class Reached(BaseModel):
    """How many sockets a message was sent to, and what came of it.

    `acks` and `unacknowledged` are there if acknowledgements were asked for. `not_connected` is there if the message
    was for some only: the names among them that led to no socket. `silent_nodes` is there if emitters did not answer in
    time: what came of it there is not known.
    """

    reached: int
    acks: list[Acknowledgement] | None = None
    unacknowledged: list[Recipient] | None = None
    not_connected: list[str] | None = None
    silent_nodes: list[str] | None = None
