"""Thousands of Socket.IO clients in one process, at the least cost: what they hear is counted, not decoded.

They speak websocket, Engine.IO 4 and Socket.IO 5 by hand. Each event carries the byte `MARK` once, so that counting the
byte is counting the events, however the kernel cuts the stream. Only the length of a frame could hold the byte as well;
the count would then be wrong and the run would fail.
"""

import select
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

MARK = b"|"
HOST = "127.0.0.1"
_READ_BYTES = 1 << 18
_MOST_READY = 256
_AT_THE_SAME_TIME = 100
_HANDSHAKE_BYTES = 1 << 14
# Far from the number of ports that one address has, and as many as a limit for each address would ask for.
_ADDRESSES = 250
_PING = b"\x81\x012"
# Client frames are masked (RFC 6455, section 5.3); with this mask they stay what they are.
_PONG = b"\x81\x81\0\0\0\x003"
_CONNECT = b"\x81\x82\0\0\0\x0040"
_OPENED = b'0{"sid"'
_CONNECTED = b'40{"sid"'


class Lost(Exception):
    """A server dropped a client, refused it, or did not tell it what it should."""


class Made(NamedTuple):
    """What it took to connect clients."""

    clients: int
    seconds: float


class Clients:
    """Clients of one server, and whatever else waits in the same place for something to read."""

    def __init__(self, port: int, path: str) -> None:
        self.heard = 0
        self.last_heard = 0.0
        self.pings = 0
        self._port = port
        self._request = (
            f"GET {path}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._epoll = select.epoll()
        self._buffer = bytearray(_READ_BYTES)
        self._sockets: dict[int, socket.socket] = {}
        self._receivers: dict[int, Callable[[bytearray], int]] = {}
        self._heard_by: dict[int, int] = {}
        self._resting: list[int] = []
        self._watched: dict[int, Callable[[], None]] = {}
        self._handshakes = 0

    def __len__(self) -> int:
        return len(self._receivers)

    def watch(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Call a function whenever there is something to read from a file."""
        self._watched[descriptor] = readable
        self._epoll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Watch a file no longer."""
        del self._watched[descriptor]
        self._epoll.unregister(descriptor)

    def connect(self, count: int, timeout_s: float) -> Made:
        """Connect so many more clients, some at the same time."""
        wanted = len(self) + count
        start = time.perf_counter()
        while len(self) < wanted:
            while self._handshakes < _AT_THE_SAME_TIME and len(self._sockets) < wanted:
                self._start()
            self.pump(1)
            if time.perf_counter() - start > timeout_s:
                raise Lost(f"{len(self)} of {wanted} clients were connected within {timeout_s:g} s")
        return Made(count, time.perf_counter() - start)

    def pump(self, timeout_s: float) -> None:
        """Wait until there is something to read, and read it; answer pings."""
        self._read(descriptor for descriptor, _ in self._epoll.poll(timeout_s, _MOST_READY))

    def take_one(self, hear: Callable[[bytes], None]) -> None:
        """Have what one client hears given to a function instead of counted."""
        descriptor = next(iter(self._receivers))
        del self._receivers[descriptor], self._heard_by[descriptor]
        self._watched[descriptor] = partial(self._hear, self._sockets[descriptor], hear)

    def rest(self) -> None:
        """Have no client wait for something to read any more: that is the cheapest, with `drain` from time to time."""
        self._resting = list(self._receivers)
        for descriptor in self._resting:
            self._epoll.unregister(descriptor)

    def drain(self) -> None:
        """Read what has arrived for the clients that rest."""
        self._read(self._resting)

    def count_anew(self) -> None:
        """Forget who heard how many events."""
        self._heard_by = dict.fromkeys(self._heard_by, 0)

    def each_heard(self, events: int) -> bool:
        """Whether each client has heard exactly so many events since they are counted."""
        return all(heard == events for heard in self._heard_by.values())

    def drop(self) -> None:
        """Close every connection."""
        for descriptor, connection in self._sockets.items():
            self._watched.pop(descriptor, None)
            connection.close()  # which also ends the waiting for something to read
        for clients in (self._sockets, self._receivers, self._heard_by, self._resting):
            clients.clear()
        self._handshakes = 0

    def _read(self, descriptors: Iterable[int]) -> None:
        # Whatever stands in this loop is done for each delivery.
        buffer, receivers, heard_by = self._buffer, self._receivers, self._heard_by
        heard = 0
        for descriptor in descriptors:
            if (receive := receivers.get(descriptor)) is None:
                self._watched[descriptor]()
                continue
            try:
                size = receive(buffer)
            except BlockingIOError:  # it rests
                continue
            if not size:
                raise Lost("a server closed a connection")
            if count := buffer.count(MARK, 0, size):
                heard += count
                heard_by[descriptor] += count
            if buffer.find(_PING, 0, size) >= 0:
                self.pings += 1
                self._sockets[descriptor].send(_PONG)
        if heard:
            self.last_heard = time.perf_counter()
            self.heard += heard

    def _hear(self, connection: socket.socket, hear: Callable[[bytes], None]) -> None:
        data = connection.recv(_READ_BYTES)
        if not data:
            raise Lost("a server closed a connection")
        hear(data)
        if _PING in data:
            connection.send(_PONG)

    def _start(self) -> None:
        address = f"127.0.1.{1 + len(self._sockets) % _ADDRESSES}"
        # It waits for the kernel alone, whose queue is longer than the number that is under way.
        connection = socket.create_connection((HOST, self._port), source_address=(address, 0))
        connection.sendall(self._request)
        connection.setblocking(False)  # noqa: FBT003  # the method's own form
        descriptor = connection.fileno()
        self._sockets[descriptor] = connection
        self._handshakes += 1
        self.watch(descriptor, partial(self._shake_hands, connection, bytearray()))

    def _shake_hands(self, connection: socket.socket, said: bytearray) -> None:
        data = b""
        with suppress(ConnectionResetError):
            data = connection.recv(_HANDSHAKE_BYTES)
        if not data:
            raise Lost(f"a client was refused: {bytes(said)!r}")
        said += data
        if _CONNECTED in said:
            self._handshakes -= 1
            descriptor = connection.fileno()
            del self._watched[descriptor]
            self._heard_by[descriptor] = 0
            self._receivers[descriptor] = connection.recv_into
        elif _OPENED in said:
            said.clear()
            connection.send(_CONNECT)
