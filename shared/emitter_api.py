"""The emitter's internal HTTP contract: what the API posts and asks, and what the emitter answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.events import Event
from shared.rooms import PushedEventName

EVENTS_PATH = "/events"
POSITION_PATH = "/events/position"
EMIT_PATH = "/emit"
CONNECTIONS_PATH = "/connections"
DRAIN_PATH = "/drain"
REBALANCE_PATH = "/rebalance"

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1024 * 1024

MAX_TO = 1_000
MAX_ACK_TIMEOUT_MS = 60_000
AckTimeoutMs = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_ACK_TIMEOUT_MS, description="ask for acknowledgements, and wait so long for them"),
]


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

    event: PushedEventName
    payload: JsonValue = None
    to: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=MAX_TO)] | None = None
    ack_timeout_ms: AckTimeoutMs | None = None


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


State = Literal["waiting", "ready", "deaf", "draining"]
"""Of an emitter: clients should come only where it is ready."""


class Socket(BaseModel):
    """A socket of a user, of a device or of a topic."""

    node: str
    sid: str
    user: str | None


class NodeCount(BaseModel):
    """One emitter. `lag_ms` is how late its event loop calls, as a moving average."""

    node: str
    url: str
    state: State
    connections: int
    # One of the version before does not tell it.
    lag_ms: float = 0.0
    topics: dict[str, int]
    where: dict[str, list[Socket]]


class Connections(BaseModel):
    """All emitters together. `silent_nodes` are those that have not answered: their sockets are not counted."""

    connections: int
    nodes: list[NodeCount]
    topics: dict[str, int]
    where: dict[str, list[Socket]]
    silent_nodes: list[str]


NodeName = Annotated[str, Field(min_length=1, max_length=100)]
"""What an emitter is called, as `welcome.node` says it."""

Target = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
"""How many clients are to be left: no emitter ever has more than the most that can be said here."""


class Drain(BaseModel):
    """Which emitter is to be drained; without a node, the one that is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: NodeName | None = None


class Rebalance(BaseModel):
    """How many connections are to be left, and on which emitter; without a node, on the one that is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    node: NodeName | None = None


class Shedding(BaseModel):
    """What an emitter has begun: so many of its connections are to end."""

    state: State
    connections: int
    shedding: int
