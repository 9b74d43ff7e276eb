"""One Socket.IO client: what it is greeted with and sent, in order, as fast as its transport takes it."""

from collections.abc import Callable
from typing import Protocol

import structlog

from ws_service import metrics
from ws_service.engine.packets import Packets, encode_event, encode_note, encode_part
from ws_service.ingest.hub import Hub
from ws_service.ingest.outgoing import Note, Part
from ws_service.ingest.subscriptions import FellBehind, Subscription
from ws_service.sockets.recovery import Start

_log = structlog.get_logger(__name__)


class Session(Protocol):
    """The transport, as a connection sees it."""

    @property
    def is_full(self) -> bool:
        """Whether more than a little waits to be taken by the client."""

    def send(self, packets: Packets) -> None:
        """Queue packets behind what waits already. It never raises: a transport that fails ends its session."""

    def drop(self) -> None:
        """Close the transport, so that the client comes back."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the event loop's next turn."""


class Connection:
    """A connected socket. It has no task: it writes when events come, and when its transport has room again.

    Order: whatever is sent goes through `Session.send` at once, and numbered events are taken from the subscription
    in the order of their numbers, here alone.
    """

    __slots__ = (
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

    def __init__(self, sid: str, session: Session, hub: Hub, node: str) -> None:
        self.sid = sid
        self._session = session
        self._hub = hub
        self._node = node
        self._open = False
        self._pumping = False

    def begin(self, topics: frozenset[str], start: Start) -> None:
        """Take a place among the subscribers. Nothing is sent yet."""
        self._recovered = start.recovered
        recovers_from = start.position if start.recovered else None
        self._missed = self._hub.history.count(recovers_from.seq, topics) if recovers_from else 0
        self._waiting = start.position is None
        self.subscription = Subscription(topics, start.position, self)
        self._hub.subscriptions.add(self.subscription)

    def greet(self) -> None:
        """Send the welcome and what was missed: the CONNECT answer is on its way."""
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
        self._session.send(note.form(encode_note))

    def write(self, part: Part) -> None:
        """Send what all who are live on the same topics are sent: encoded once."""
        self._session.send(part.form(encode_part))

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
        welcome = {
            "node": self._node,
            "position": str(position) if position else None,
            "recovered": recovered,
            "replayed": replayed,
        }
        self._session.send(encode_event("welcome", welcome))
