"""HTTP calls over one connection that stays open, sent at the least cost."""

import socket
from functools import partial

from tests.benchmarks.clients import HOST, Clients, Lost

_READ_BYTES = 1 << 16
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def request(path: str, body: bytes, secret: str = "") -> bytes:
    """Return a POST of JSON as it goes over the wire, with the emitter secret if it is for an emitter."""
    authorization = f"Authorization: Bearer {secret}\r\n" if secret else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Caller:
    """One caller, with one call at a time, whose answers are read together with what the clients hear."""

    def __init__(self, port: int, clients: Clients) -> None:
        self.waiting = False
        self._port = port
        self._clients = clients
        self._said = bytearray()
        self._connection: socket.socket | None = None

    def post(self, whole: bytes) -> None:
        """Send a request; `waiting` is true until it was answered."""
        if self._connection is None:
            self._connection = self._open()
        self.waiting = True
        self._said.clear()
        self._connection.sendall(whole)

    def _open(self) -> socket.socket:
        connection = socket.create_connection((HOST, self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients.watch(connection.fileno(), partial(self._read, connection))
        return connection

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(_READ_BYTES)
        if not data:
            self._closed(connection)
            return
        self._said += data
        if self._complete():
            self.waiting = False
            if not self._said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
                raise Lost(f"a call was refused: {bytes(self._said)!r}")

    def _closed(self, connection: socket.socket) -> None:
        if self.waiting:
            raise Lost("a server closed the connection instead of answering a call")
        # It was not used for some time.
        self._clients.unwatch(connection.fileno())
        connection.close()
        self._connection = None

    def _complete(self) -> bool:
        head, end, body = self._said.partition(_END)
        if not end:
            return False
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH)]
        return len(body) >= int(length[len(_LENGTH) :])
