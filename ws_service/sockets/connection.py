"""One client: what it is greeted with and sent, in order, as fast as its transport takes it."""

from collections.abc import Callable
from typing import Annotated, Generic, NamedTuple, Protocol, TypeVar

import structlog
from pydantic import Field
from typing_extensions import TypedDict

from shared.events import Offset
from ws_service import metrics
from ws_service.engine.packets import Packets, encode_event, encode_note, encode_part
from ws_service.ingest.hub import Hub
from ws_service.ingest.member import Member
from ws_service.ingest.outgoing import Note, Part
from ws_service.ingest.subscriptions import FellBehind, Subscription
from ws_service.sockets.recovery import Start

_log = structlog.get_logger(__name__)

Form = TypeVar("Form")
Form_contra = TypeVar("Form_contra", contravariant=True)


WELCOME = "welcome"


class Welcome(TypedDict):
    """The greeting, before anything else; and again where the emitter had no history yet."""

    node: Annotated[str, Field(description="which emitter it is")]
    position: Annotated[Offset | None, Field(description="where the emitter is; null as long as it has no history")]
    recovered: Annotated[
        bool, Field(description="whether all that was missed follows; false: read the products from the API")
    ]
    replayed: Annotated[int, Field(ge=0, description="how many events follow that were missed")]


class Encoding(NamedTuple, Generic[Form]):
    """How a client is told what it hears, and whether it can acknowledge it.

    Plain functions: what is the same for many is encoded once by each of them.
    """

    part: Callable[[Part], Form]
    note: Callable[[Note], Form]
    welcome: Callable[[Welcome], Form]
    acknowledges: bool


class Session(Protocol[Form_contra]):
    """The transport, as a connection sees it."""

    @property
    def is_full(self) -> bool:
        """Whether more than a little waits to be taken by the client."""

    def send(self, packets: Form_contra, /) -> None:
        """Queue what is encoded behind what waits already. It never raises: a transport that fails ends its session."""

    def drop(self) -> None:
        """Close the transport, so that the client comes back."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the event loop's next turn."""


class Feed(Generic[Form]):
    """A connected client. It has no task: it writes when events come, and when its transport has room again.

    Order: whatever is sent goes through `Session.send` at once, and numbered events are taken from the subscription
    in the order of their numbers, here alone.
    """

    __slots__ = (
        "_encoding",
        "_hub",
        "_missed",
        "_node",
        "_open",
        "_pumping",
        "_recovered",
        "_session",
        "_waiting",
        "sid",
        "subscription",
    )

    def __init__(self, sid: str, session: Session[Form], hub: Hub, node: str, encoding: Encoding[Form]) -> None:
        self.sid = sid
        self._session = session
        self._encoding = encoding
        self._hub = hub
        self._node = node
        self._open = False
        self._pumping = False

    def begin(self, topics: frozenset[str], start: Start, user: str | None = None) -> None:
        """Take a place among the subscribers. Nothing is sent yet."""
        self._recovered = start.recovered
        recovers_from = start.position if start.recovered else None
        self._missed = self._hub.history.count(recovers_from.seq, topics) if recovers_from else 0
        self._waiting = start.position is None
        member = Member(self.sid, user, acknowledges=self._encoding.acknowledges)
        self.subscription = Subscription(topics, start.position, self, member)
        self._hub.subscriptions.add(self.subscription)

    def greet(self) -> None:
        """Send the welcome and what was missed: from now on the client can be sent to."""
        self._open = True
        self._welcome(recovered=self._recovered, replayed=self._missed)
        self._pump()

    def end(self) -> None:
        """Stop: the socket is gone."""
        self._open = False
        self._hub.subscriptions.remove(self.subscription)
        self.subscription.end()

    def send(self, note: Note) -> None:
        """Send what has no number."""
        self._session.send(note.form(self._encoding.note))

    def write(self, part: Part) -> None:
        """Send what all who are live on the same topics are sent: encoded once."""
        self._session.send(part.form(self._encoding.part))

    def drop(self) -> None:
        """Close the transport, so that the client comes back."""
        self._session.drop()

    def wake(self) -> None:
        """Read on in a turn of its own: whoever wakes may be in the middle of a change."""
        if not self._pumping:
            self._pumping = True
            self._session.call_soon(self._pump)

    def hold(self) -> None:
        """Be given nothing more: the transport is full. `wake` is called once it has room."""
        self.subscription.hold(self._hub.history.last)

    def _pump(self) -> None:
        self._pumping = False
        if not self._open or self._session.is_full:
            return
        if self._waiting and self.subscription.begun:
            self._waiting = False
            # What was committed meanwhile came as history: this welcome says to read the products anew.
            self._welcome(recovered=False, replayed=0)
        try:
            if part := self.subscription.next_part(self._hub.history):
                self.write(part)
                metrics.deliveries.inc(len(part.events))
                # One part a turn: a long replay does not keep the others waiting.
                self.wake()
        except FellBehind:
            metrics.cut_off.labels("behind").inc()
            _log.info("a socket has fallen behind the history; it is closed and comes back", sid=self.sid)
            self._session.drop()
        except Exception:  # noqa: BLE001  # logged, and the client recovers
            _log.exception("a socket cannot be sent to; it is closed and comes back", sid=self.sid)
            self._session.drop()

    def _welcome(self, *, recovered: bool, replayed: int) -> None:
        position = self._hub.position
        welcome: Welcome = {
            "node": self._node,
            "position": str(position) if position else None,
            "recovered": recovered,
            "replayed": replayed,
        }
        self._session.send(self._encoding.welcome(welcome))


def _encode_welcome(welcome: Welcome) -> Packets:
    return encode_event(WELCOME, welcome)


_SOCKET_IO = Encoding(encode_part, encode_note, _encode_welcome, acknowledges=True)


class Connection(Feed[Packets]):
    """A connected Socket.IO client."""

    __slots__ = ()

    def __init__(self, sid: str, session: Session[Packets], hub: Hub, node: str) -> None:
        super().__init__(sid, session, hub, node, _SOCKET_IO)
