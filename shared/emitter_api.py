"""The emitter's internal HTTP contract: what the relay posts and what the emitter answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.events import Event

EVENTS_PATH = "/events"
POSITION_PATH = "/events/position"
EMIT_PATH = "/emit"

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1024 * 1024


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
    """One unnumbered message, now, to everyone or to the named topics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Annotated[str, Field(min_length=1, max_length=100)]
    payload: JsonValue = None
    to: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=1000)] | None = None


class Reached(BaseModel):
    """How many sockets a message was sent to."""

    model_config = ConfigDict(frozen=True)

    reached: int
