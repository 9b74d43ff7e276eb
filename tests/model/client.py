"""A client that may drop at any time: the stock JavaScript one, or one that keeps the last offset by itself."""

from shared.events import Position
from tests.model.emitter import Acknowledged, Connected, Delivered, Emitter, Joined, Outgoing, Socket, Welcome
from tests.model.judge import Archive, Span
from ws_service.sockets.requests import Handshake, Subscribe


class Client:
    """What both kinds do: connect, hear what comes in order, lose the connection with all that is on the wire."""

    def __init__(self, archive: Archive, *topics: str) -> None:
        self._archive = archive
        self._is_placed = False  # whether it was told where it is on this connection
        self._is_asking = False
        self.topics = frozenset(topics)
        self.socket: Socket | None = None
        self.span: Span | None = None

    def handshake(self) -> Handshake:
        """Return what it sends when it connects."""
        raise NotImplementedError

    def connect(self, emitter: Emitter) -> None:
        """Connect, unless it is connected."""
        if self.socket is None:
            self.socket = emitter.connect(self.handshake())

    def drop(self) -> None:
        """Lose the connection."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
            self._is_placed = self._is_asking = False

    def subscribe(self, topic: str, back: int | None) -> None:
        """Ask for one more topic, without its past or with that of some numbers back; one question at a time."""
        if self._is_asking or not self._is_placed or self.socket is None or not self.socket.is_open:
            return
        self._is_asking = True
        after = None if back is None else str(self._back(self.socket, back))
        self.socket.subscribe(Subscribe.model_validate({"topics": [topic], "after": after}))

    def _back(self, socket: Socket, events: int) -> Position:
        assert socket.origin, "placed without a place"
        epoch, origin = socket.origin
        # A socket does not know what was heard before it was recovered: the client must not ask for that again.
        oldest = origin if socket.recovered else 0
        return Position(epoch, max(oldest, socket.subscription.place - events))

    def hear(self) -> None:
        """Take one message from the wire, or notice that the emitter has closed it."""
        if self.socket is None:
            return
        if self.socket.wire:
            self._take(self.socket.wire.popleft())
        elif not self.socket.is_open:
            self.drop()

    def _take(self, message: Outgoing) -> None:
        match message:
            case Connected():
                self.connected(message)
            case Welcome():
                self.welcomed(message)
                self._is_placed = message.position is not None
            case Delivered():
                assert self.span, "an event before a place to begin"
                self.span.hear(message.event, message.offset)
                self.delivered(message)
            case Joined() if self.span:
                self.span.join(message.topics, message.after)
            case Acknowledged():
                self.topics |= message.topics
                self._is_asking = False
                if self.span:
                    self.span.acknowledge()

    def connected(self, answer: Connected) -> None:
        """Hear the CONNECT answer."""

    def welcomed(self, welcome: Welcome) -> None:
        """Hear the greeting."""

    def delivered(self, message: Delivered) -> None:
        """Hear an event."""

    def go_on(self) -> None:
        """Expect all that was missed: the emitter has said that it recovers."""
        if self.socket is not None and (origin := self.socket.origin):
            self.span = self.span or Span(self._archive, origin, self.topics)
            self.span.go_on(origin)

    def begin(self) -> None:
        """Begin anew: the emitter has said that the past is gone."""
        origin = self.socket.origin if self.socket else None
        self.span = Span(self._archive, origin, self.topics) if origin else None


class StockClient(Client):
    """socket.io-client 4.6 and later (`lib/socket.ts`): it keeps `pid` and offset, and calls itself recovered."""

    _pid: str | None = None
    _offset: str | None = None

    def handshake(self) -> Handshake:
        """Send both as soon as there is a pid."""
        return Handshake(topics=sorted(self.topics), pid=self._pid, offset=self._offset if self._pid else None)

    def connected(self, answer: Connected) -> None:
        """Compare the pid. The last offset is kept even where it is another one."""
        recovered, self._pid = answer.pid == self._pid, answer.pid
        if answer.pid.startswith("none:"):
            # It came before the emitter had a place, and is told where it begins by a second greeting. Or it comes back
            # with nothing but its last offset, which may be from before that: no harm, what lies between is new to it.
            self.span = None
        elif not recovered:
            self.begin()
        if recovered:
            self.go_on()

    def welcomed(self, welcome: Welcome) -> None:
        """Learn where it begins, if it came before the emitter knew."""
        if self.span is None and welcome.position:
            self.begin()

    def delivered(self, message: Delivered) -> None:
        """Keep the offset."""
        self._offset = str(message.offset)


class CarefulClient(Client):
    """A client without recovery of its own: it sends `after`, and listens to `welcome`."""

    _after: Position | None = None

    def handshake(self) -> Handshake:
        """Ask for what follows the last offset."""
        after = None if self._after is None else str(self._after)
        return Handshake.model_validate({"topics": sorted(self.topics), "after": after})

    def welcomed(self, welcome: Welcome) -> None:
        """Go on, or begin where the emitter says."""
        if welcome.recovered:
            self.go_on()
        else:
            self.begin()
            self._after = welcome.position

    def delivered(self, message: Delivered) -> None:
        """Keep the offset."""
        self._after = message.offset
