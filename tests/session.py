"""A transport for tests without a network: it has as much room, and time passes, as the test says."""

from collections.abc import Callable
from typing import NamedTuple

import orjson

from shared.events import Event, Position
from ws_service.engine.packets import SEPARATOR, Packets
from ws_service.engine.session import Sender


class Welcome(NamedTuple):
    """The greeting."""

    position: Position | None
    recovered: bool
    replayed: int


class Delivered(NamedTuple):
    """A numbered event."""

    event: Event
    offset: Position


class Session:
    """What a connection sees of its transport (`sockets/connection.py`: `Session`).

    `room` is how many more sends it takes until it is full; None is as many as there are.
    """

    def __init__(self, receive: Callable[[Welcome | Delivered], None]) -> None:
        self._receive = receive
        self._callbacks: list[Callable[[], None]] = []
        self.sender: Sender | None = None
        self.room: int | None = None
        self.is_full = False
        self.is_closed = False
        # What to do when the server closes it.
        self.closed: Callable[[], None] = lambda: None

    # What the connection calls.

    def send(self, packets: Packets) -> None:
        """Take packets; this may fill it."""
        if self.is_closed:
            return
        for packet in packets.payload.split(SEPARATOR):
            self._receive(decode(packet))
        if self.room is not None:
            self.room -= 1
            if self.room <= 0 and not self.is_full:
                self.fill()

    def drop(self) -> None:
        """End it from the server's side."""
        if not self.is_closed:
            self.is_closed = True
            self.closed()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn."""
        self._callbacks.append(callback)

    # What the test calls.

    @property
    def is_due(self) -> bool:
        """Whether something is to be done in the next turn."""
        return bool(self._callbacks)

    def turn(self) -> None:
        """Let one turn of the loop pass: what is called soon from here on comes in the one after."""
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def fill(self) -> None:
        """Leave no room, whatever it was that took it."""
        self.room = None
        self.is_full = True
        if self.sender is not None:
            self.sender.hold()

    def drain(self, room: int | None = None) -> None:
        """Make room."""
        self.room = room
        self.is_full = False
        if self.sender is not None:
            self.sender.wake()


def decode(packet: bytes) -> Welcome | Delivered:
    """Read an event as a client does."""
    assert packet.startswith(b"42"), packet
    name, *arguments = orjson.loads(packet[2:])
    if name == "welcome":
        greeting = arguments[0]
        position = greeting["position"]
        return Welcome(position and Position.parse(position), greeting["recovered"], greeting["replayed"])
    payload, meta, offset = arguments
    return Delivered(Event(event=name, payload=payload, **meta), Position.parse(offset))
