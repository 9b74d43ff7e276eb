"""The clients hear what they are told, however the kernel cuts it."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.benchmarks.clients import MARK, Clients, Lost
from tests.benchmarks.peers.bare import frame

_TIMEOUT_S = 5


class Scripted:
    """A server that accepts clients and says what a test wants it to say."""

    def __init__(self, greeting: bytes = b'40{"sid":"b"}') -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted: list[socket.socket] = []
        self._clients: Clients | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        for _ in range(2):
            accepted, _ = self._listener.accept()
            accepted.recv(4096)
            accepted.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(b'0{"sid":"a"}'))
            accepted.recv(4096)
            accepted.sendall(frame(self._greeting))
            self.accepted.append(accepted)

    def connected(self) -> Clients:
        """Return two clients of it."""
        self._clients = Clients(self.port, "/websocket-service")
        self._clients.connect(2, _TIMEOUT_S)
        self._thread.join()
        return self._clients

    def close(self) -> None:
        """Close it, and its clients."""
        if self._clients is not None:
            self._clients.drop()
        for connection in (*self.accepted, self._listener):
            connection.close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


def test_an_event_that_arrives_in_pieces_is_counted_once(server: Scripted) -> None:
    """A cut anywhere in a frame changes no count, and a ping between events is answered."""
    clients = server.connected()
    whole = frame(b'42["new_product",{"description":"' + MARK + b"x" * 400 + b'"}]')

    first, second = server.accepted
    for cut in (1, 3, 34, 35, len(whole)):
        first.sendall(whole[:cut])
        clients.pump(0.05)
        first.sendall(whole[cut:] + frame(b"2"))
        clients.pump(0.05)
        assert first.recv(64) == b"\x81\x81\0\0\0\x003"
    assert not clients.each_heard(5)
    second.sendall(whole * 5)
    clients.pump(_TIMEOUT_S)

    assert clients.heard == 10
    assert clients.each_heard(5)
    assert clients.pings == 5


def test_clients_that_rest_are_read_from_time_to_time(server: Scripted) -> None:
    """A client that rests misses nothing, and one can be listened to."""
    clients = server.connected()
    heard = bytearray()
    clients.take_one(heard.extend)
    clients.rest()

    for connection in server.accepted:
        connection.sendall(frame(b"42" + MARK) + frame(b"2"))
    clients.pump(_TIMEOUT_S)
    assert clients.heard == 0
    deadline = time.monotonic() + _TIMEOUT_S
    while not clients.each_heard(1) and time.monotonic() < deadline:
        clients.drain()

    assert heard == frame(b"42" + MARK) + frame(b"2")
    assert clients.each_heard(1)
    assert [connection.recv(64) for connection in server.accepted] == [b"\x81\x81\0\0\0\x003"] * 2


def test_a_refused_client_fails_the_run() -> None:
    """A server that does not take all clients is not measured with fewer."""
    server = Scripted(greeting=b'44{"message":"no"}')
    clients = Clients(server.port, "/websocket-service")
    with pytest.raises(Lost, match="0 of 2 clients"):
        clients.connect(2, timeout_s=0.2)
    server.close()
    with pytest.raises(Lost, match="refused"):
        clients.pump(_TIMEOUT_S)
    clients.drop()
