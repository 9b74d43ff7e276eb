"""One run of the emitter: the real hub and history, and sockets whose transport is a queue."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from shared.emitter_api import Batch, EmitterPosition
from shared.events import Event, Position
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import FellBehind, Subscription, Subscriptions
from ws_service.sockets import recovery
from ws_service.sockets.requests import Handshake, Subscribe

HISTORY_EVENTS = 5

Begin = Callable[[Handshake, Position | None, History], recovery.Start]


class Connected(NamedTuple):
    """The CONNECT answer."""

    pid: str


class Welcome(NamedTuple):
    """The greeting."""

    position: Position | None
    recovered: bool


class Delivered(NamedTuple):
    """A numbered event."""

    event: Event
    offset: Position


class Joined(NamedTuple):
    """Not on the real wire: tells the judge when more topics were added, and beyond which number they are heard."""

    topics: frozenset[str]
    after: int


class Acknowledged(NamedTuple):
    """The answer to `subscribe`."""

    topics: frozenset[str]


Outgoing = Connected | Welcome | Delivered | Joined | Acknowledged


class _Listening(Subscription):
    """The real subscription, which also shows where it began, where it is, and whether its writer was woken."""

    def __init__(self, topics: Iterable[str], start: Position | None) -> None:
        super().__init__(topics, start)
        self.origin = start
        self.has_ended = False

    @property
    def place(self) -> int:
        """The number up to which everything was written."""
        return self._cursor

    @property
    def is_woken(self) -> bool:
        """Whether `woken` returns at once."""
        return self._woken.is_set()

    def begin(self, position: Position) -> None:
        self.origin = position
        super().begin(position)

    def end(self) -> None:
        self.has_ended = True
        super().end()


class Socket:
    """A connected client, as the emitter has it. What is written stays in order, and is lost with the connection."""

    def __init__(self, hub: Hub, start: recovery.Start, subscription: _Listening) -> None:
        self._hub = hub
        self._greetings = 2 if start.position is None else 1
        self._writes = True  # a writer looks once before it waits
        self._acknowledgements: list[tuple[asyncio.Event | None, Acknowledged]] = []
        self.recovered = start.recovered
        self.subscription = subscription
        self.wire: deque[Outgoing] = deque([Connected(start.pid)])
        self.is_open = True

    @property
    def origin(self) -> Position | None:
        """Where in the log it began."""
        return self.subscription.origin

    @property
    def is_idle(self) -> bool:
        """Whether the writer waits to be woken."""
        return self._greetings == 0 and not (self._writes or self.subscription.is_woken)

    @property
    def hears_history(self) -> bool:
        """Whether it would be sent what has just come as history."""
        living = self.subscription.begun and not self.subscription.has_ended
        return living and self.subscription.place < self._hub.history.last

    def close(self) -> None:
        """End it from either side."""
        self.is_open = False
        self._hub.subscriptions.remove(self.subscription)
        self.subscription.end()

    def write(self) -> None:
        """Take one turn of the writer (`sockets/connection.py`: `_Writer`, which cannot be driven without a loop)."""
        if not self.is_open:
            return
        if self._greetings:
            self._greet()
        elif not self.is_idle:
            self._deliver()

    def subscribe(self, request: Subscribe) -> None:
        """Add topics (`sockets/sockets.py`: `_add`, which cannot be driven without a server)."""
        wanted = frozenset(request.topics)
        history, now, after = self._hub.history, self._hub.position, request.after
        recovered = after is not None and now is not None and recovery.recoverable(after, now, history, wanted)
        past = after.seq if after is not None and recovered else None
        sent = self._hub.subscriptions.join(self.subscription, set(wanted), history.last, past)
        self.wire.append(Joined(wanted, self.subscription.place if past is None else past))
        self._acknowledgements.append((sent, Acknowledged(wanted)))
        self._acknowledge()

    def _greet(self) -> None:
        if self._greetings == 2 and self.subscription.begun:
            self._greetings = 1  # it began between the CONNECT answer and the greeting
        if self._greetings == 1 and not self.subscription.begun:
            return
        self._greetings -= 1
        # Its own place, not the hub's: a batch that was taken since CONNECT still lies before it.
        self.wire.append(Welcome(self.origin, recovered=self.recovered))

    def _deliver(self) -> None:
        try:
            part = self.subscription.next_part(self._hub.history)
        except FellBehind:
            self.close()
            return
        self._writes = bool(part)
        self.wire.extend(Delivered(event, Position.parse(offset)) for event, offset in part)
        self._acknowledge()

    def _acknowledge(self) -> None:
        for sent, answer in list(self._acknowledgements):
            if sent is None or sent.is_set():
                self._acknowledgements.remove((sent, answer))
                self.wire.append(answer)


class Emitter:
    """A process: a crash is the end of it, and the next one starts without memory."""

    def __init__(self, hub: type[Hub] = Hub, begin: Begin = recovery.start) -> None:
        self._begin = begin
        self.hub = hub(History(HISTORY_EVENTS, 10**9), Subscriptions())
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
        if batch.history:
            assert not (taken and any(socket.hears_history for socket in self.sockets)), "history is never broadcast"
        elif taken:
            assert before, "live events are refused as long as the hand-over is not closed"
            assert before.epoch == batch.epoch, "live events of another epoch are refused"
            assert not batch.events or batch.events[0].seq <= last + 1, "a gap is refused"
        else:
            assert self.hub.history.last == last, "nothing is taken of what is refused"

    def connect(self, handshake: Handshake) -> Socket:
        """Accept a client (`sockets/sockets.py`: `_connect`, whose wait for the hand-over is over or in vain)."""
        start = self._begin(handshake, self.hub.position, self.hub.history)
        socket = Socket(self.hub, start, _Listening(handshake.topics, start.position))
        self.hub.subscriptions.add(socket.subscription)
        self.sockets.append(socket)
        return socket

    def crash(self) -> None:
        """Take every socket along."""
        for socket in self.sockets:
            socket.close()
