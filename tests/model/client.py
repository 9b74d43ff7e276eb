"""A client that may drop at any time: the stock JavaScript one, or one that keeps the last offset by itself."""

from shared.events import Position
from tests.model.emitter import Acknowledged, Connected, Emitter, Joined, Left, Outgoing, Socket
from tests.model.judge import Archive, Span
from tests.session import Delivered, Welcome
from ws_service.sockets.requests import Handshake, Subscribe


class Client:
    """What both kinds do: connect, hear what comes in order, lose the connection with all that is on the wire."""

    def __init__(self, archive: Archive, *topics: str) -> None:
        self._archive = archive
        self._is_placed = False  # whether it was told where it is on this connection
        self._is_asking = False
        # Where it was when it left a topic: it has heard what is for that up to there, and must not ask for it again.
        self._left: dict[str, int] = {}
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
            self._left = {}

    def subscribe(self, topic: str, back: int | None) -> None:
        """Ask for one more topic, without its past or with that of some numbers back; one question at a time."""
        if socket := self._free():
            self._is_asking = True
            after = None if back is None else str(self._back(socket, topic, back))
            socket.subscribe(Subscribe.model_validate({"topics": [topic], "after": after}))

    def unsubscribe(self, topic: str) -> None:
        """Ask for one topic less, unless it is the last one."""
        if (socket := self._free()) and {topic} < self.topics:
            self._is_asking = True
            self._left[topic] = socket.subscription.place
            socket.unsubscribe(frozenset({topic}))

    def _free(self) -> Socket | None:
        """Return the socket if it can be asked for something."""
        is_free = self._is_placed and not self._is_asking
        return self.socket if is_free and self.socket is not None and self.socket.is_open else None

    def _back(self, socket: Socket, topic: str, events: int) -> Position:
        assert socket.origin, "placed without a place"
        epoch, origin = socket.origin
        # A socket does not know what was heard before it was recovered: the client must not ask for that again.
        oldest = max(origin if socket.recovered else 0, self._left.get(topic, 0))
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
            case Left():
                self.topics -= message.topics
                self._is_asking = False
                if self.span:
                    self.span.leave(message.topics)

    def connected(self, answer: Connected) -> None:
        """Hear the CONNECT answer."""

    def welcomed(self, welcome: Welcome) -> None:
        """Hear the greeting."""

    def delivered(self, message: Delivered) -> None:
        """Hear an event."""

    def go_on(self) -> None:
        """Expect all that was missed: the emitter has said that it recovers."""
        if self.socket is not None and (origin := self.socket.origin):
            self.span = self.span or Span(self._archive, origin, origin, self.topics)
            self.span.go_on(origin)

    def begin(self, told: Position | None) -> None:
        """Begin anew, with what the products were when it was told: the emitter has said that the past is gone."""
        origin = self.socket.origin if self.socket else None
        self.span = Span(self._archive, origin, told, self.topics) if origin and told else None


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
            self.begin(self.socket.origin if self.socket else None)
        if recovered:
            self.go_on()

    def welcomed(self, welcome: Welcome) -> None:
        """Learn where it begins, if it came before the emitter knew."""
        if self.span is None:
            self.begin(welcome.position)

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
            self.begin(welcome.position)
            self._after = welcome.position

    def delivered(self, message: Delivered) -> None:
        """Keep the offset."""
        self._after = message.offset
