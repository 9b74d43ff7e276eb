"""One run of the emitter: the real hub, history and connections, on transports that the machine fills and drains."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast
from unittest.mock import patch

from shared.emitter_api import Batch, EmitterPosition
from shared.events import Position
from tests.session import Delivered, Session, Welcome
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import FellBehind, Subscription, Subscriptions
from ws_service.sockets import connection, recovery
from ws_service.sockets.connection import Connection
from ws_service.sockets.requests import Handshake, Subscribe

HISTORY_EVENTS = 5

Begin = Callable[[Handshake, Position | None, History], recovery.Start]


class Connected(NamedTuple):
    """The CONNECT answer."""

    pid: str


class Joined(NamedTuple):
    """Not on the real wire: tells the judge when more topics were added, and beyond which number they are heard."""

    topics: frozenset[str]
    after: int


class Acknowledged(NamedTuple):
    """The answer to `subscribe`."""

    topics: frozenset[str]


class Left(NamedTuple):
    """The answer to `unsubscribe`."""

    topics: frozenset[str]


Outgoing = Connected | Welcome | Delivered | Joined | Acknowledged | Left


class Listening(Subscription):
    """The real subscription, which also shows where it began, where it is, and whether it is live."""

    @property
    def origin(self) -> Position | None:
        """Where in the log it began."""
        return Position(self._epoch, self._start) if self._epoch else None

    @property
    def place(self) -> int:
        """The number up to which everything was written; who is live may be further on."""
        return self._cursor

    @property
    def is_live(self) -> bool:
        """Whether it is given what comes."""
        return self._live

    @property
    def has_ended(self) -> bool:
        """Whether its epoch is over, or its socket gone."""
        return self._ended


class Design(NamedTuple):
    """What the emitter is built of; the tests of the test exchange one part at a time."""

    hub: type[Hub] = Hub
    begin: Begin = recovery.start
    subscription: type[Listening] = Listening


class Socket:
    """A connected client, as the emitter has it. What is written stays in order, and is lost with the connection."""

    def __init__(self, hub: Hub, handshake: Handshake, design: Design) -> None:
        start = design.begin(handshake, hub.position, hub.history)
        self._hub = hub
        self._acknowledgements: list[tuple[asyncio.Event | None, Acknowledged]] = []
        self._complete = 0
        self.recovered = start.recovered
        self.wire: deque[Outgoing] = deque()
        self.session = Session(self.wire.append)
        self.session.closed = self._dropped
        self._connection = self.session.sender = Connection("sid", self.session, hub, "node")
        with patch.object(connection, "Subscription", design.subscription):
            self._connection.begin(frozenset(handshake.topics), start)
        # Nothing awaits between taking a client and greeting it (`engine/server.py`: `_connect`).
        self.wire.append(Connected(start.pid))
        self._connection.greet()
        self.look()

    @property
    def subscription(self) -> Listening:
        """Its subscription, with what it shows more."""
        return cast("Listening", self._connection.subscription)

    @property
    def is_open(self) -> bool:
        """Whether the emitter has not closed it."""
        return not self.session.is_closed

    @property
    def origin(self) -> Position | None:
        """Where in the log it began."""
        return self.subscription.origin

    @property
    def is_idle(self) -> bool:
        """Whether it has been sent all there is, and will be given what comes next."""
        return self.subscription.is_live and not self.session.is_due and not self._acknowledgements

    @property
    def hears_history(self) -> bool:
        """Whether it would be sent what has just come as history."""
        living = self.subscription.begun and not self.subscription.has_ended
        return living and self.subscription.place < self._hub.history.last

    def look(self) -> None:
        """Remember up to where it has heard everything."""
        if self.subscription.is_live:
            self._complete = self._hub.history.last

    def close(self) -> None:
        """End it from either side."""
        if self.is_open:
            self.session.is_closed = True
            self._connection.end()

    def turn(self) -> None:
        """Let a turn of the loop pass for it: an acknowledgement of the turn before comes first."""
        if self.is_open:
            self._acknowledge()
            self.session.turn()
            self.look()

    def make_room(self, sends: int | None) -> None:
        """Have the transport be full after some sends, or after none; None makes room if there is none."""
        if not self.is_open:
            return
        if sends == 0:
            self.session.fill()
        elif self.session.is_full:
            self.session.drain(sends)
        else:
            self.session.room = sends

    def subscribe(self, request: Subscribe) -> None:
        """Add topics (`sockets/sockets.py`: `_add`, which cannot be driven without a server)."""
        wanted = frozenset(request.topics)
        history, now, after = self._hub.history, self._hub.position, request.after
        recovered = after is not None and now is not None and recovery.recoverable(after, now, history, wanted)
        past = after.seq if after is not None and recovered else None
        sent = self._hub.subscriptions.join(self.subscription, wanted, history.last, past)
        self.wire.append(Joined(wanted, self.subscription.place if past is None else past))
        self._acknowledgements.append((sent, Acknowledged(wanted)))
        self._acknowledge()

    def unsubscribe(self, topics: frozenset[str]) -> None:
        """Remove topics (`sockets/sockets.py`: `_unsubscribe`)."""
        self._hub.subscriptions.leave(self.subscription, topics)
        self.wire.append(Left(topics))

    def _dropped(self) -> None:
        assert isinstance(sys.exception(), FellBehind), "it was cut off for a fault of ours"
        # Its own epoch is over, or something is gone that it has not been sent; else nobody may be cut off.
        lacks = not self._hub.history.reaches_back_to(self._complete, self.subscription.topics)
        assert self.subscription.has_ended or self._acknowledgements or lacks, "who lacked nothing was cut off"
        self._connection.end()

    def _acknowledge(self) -> None:
        for sent, answer in list(self._acknowledgements):
            if sent is None or sent.is_set():
                self._acknowledgements.remove((sent, answer))
                self.wire.append(answer)


class Emitter:
    """A process: a crash is the end of it, and the next one starts without memory."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self.hub = design.hub(History(HISTORY_EVENTS, 10**9), Subscriptions())
        self.sockets: list[Socket] = []

    def position(self) -> EmitterPosition:
        """Answer `GET /events/position`."""
        return self.hub.answer()

    def post(self, body: str) -> EmitterPosition:
        """Answer `POST /events` (`ingest/endpoints.py`: `take`)."""
        self.take(Batch.model_validate_json(body))
        return self.hub.answer()

    def take(self, batch: Batch) -> None:
        """Take a batch and hold the hub to its contract."""
        before, last = self.hub.position, self.hub.history.last
        taken = self.hub.take(batch)
        for socket in self.sockets:
            socket.look()
        if batch.history:
            assert not (taken and any(socket.hears_history for socket in self.sockets)), "history is never broadcast"
        elif taken:
            assert before, "live events are refused as long as the hand-over is not closed"
            assert before.epoch == batch.epoch, "live events of another epoch are refused"
            assert not batch.events or batch.events[0].seq <= last + 1, "a gap is refused"
        else:
            assert self.hub.history.last == last, "nothing is taken of what is refused"

    def connect(self, handshake: Handshake) -> Socket:
        """Accept a client (`sockets/sockets.py`: `connect`, whose wait for the hand-over is over or in vain)."""
        socket = Socket(self.hub, handshake, self._design)
        self.sockets.append(socket)
        return socket

    def crash(self) -> None:
        """Take every socket along."""
        for socket in self.sockets:
            socket.close()
