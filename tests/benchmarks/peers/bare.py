"""The limit: what it costs to hand the kernel one ready frame for each socket, with nothing else round it.

It says what a client of Engine.IO 4 and Socket.IO 5 wants to hear at its start, and then only writes.

    PORT=9000 SECRET=... python -m tests.benchmarks.peers.bare
"""

import base64
import gc
import hashlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import orjson

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_BACKLOG = 2048
_CHUNK = 1 << 16
_END = b"\r\n\r\n"
_OPEN = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
_CONNECTED = b'40{"sid":"b"}'


def frame(payload: bytes) -> bytes:
    """Frame a text message (RFC 6455, section 5.2)."""
    if len(payload) < 126:  # noqa: SIM108  # the two forms of the length are easier to see apart
        length = bytes([len(payload)])
    else:
        length = b"\x7e" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + payload


def frames(path: bytes, body: bytes) -> bytes:
    """Return what a call has every socket hear."""
    call = orjson.loads(body)
    if path == b"/emit":
        return frame(b"42" + orjson.dumps([call["event"], call["payload"], {}]))
    return b"".join(_numbered(call["epoch"], event) for event in call["events"])


def _numbered(epoch: str, event: dict[str, Any]) -> bytes:
    meta = {"seq": event["seq"], "id": event["id"], "time": event["time"]}
    return frame(b"42" + orjson.dumps([event["event"], event["payload"], meta, f"{epoch}:{event['seq']}"]))


class Bare:
    """A server of blocking sockets, which are read only when there is something to read."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._readers: dict[int, Callable[[], None]] = {self._listener.fileno(): self._accept}
        self._upgraded: dict[int, socket.socket] = {}

    def run(self) -> None:
        """Serve until the process is ended."""
        while True:
            for descriptor, _ in self._epoll.poll():
                self._readers[descriptor]()

    def _accept(self) -> None:
        accepted, _ = self._listener.accept()
        self._readers[accepted.fileno()] = lambda: self._request(accepted, accepted.recv(_CHUNK))
        self._epoll.register(accepted, select.EPOLLIN)

    def _request(self, accepted: socket.socket, data: bytes) -> None:
        while data and _END not in data:
            data += accepted.recv(_CHUNK)
        head, _, body = data.partition(_END)
        if not data:
            self._close(accepted)
        elif data.startswith(b"GET "):
            self._upgrade(accepted, head)
        else:
            self._post(accepted, head, body)

    def _upgrade(self, accepted: socket.socket, head: bytes) -> None:
        key = _header(head, b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324  # the RFC's own choice
        accepted.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + _END + frame(_OPEN)
        )
        self._readers[accepted.fileno()] = lambda: self._connect(accepted)

    def _connect(self, accepted: socket.socket) -> None:
        if not accepted.recv(_CHUNK):
            self._close(accepted)
            return
        accepted.sendall(frame(_CONNECTED))
        self._upgraded[accepted.fileno()] = accepted
        self._readers[accepted.fileno()] = lambda: self._ignore(accepted)

    def _ignore(self, accepted: socket.socket) -> None:
        if not accepted.recv(_CHUNK):
            self._close(accepted)

    def _post(self, accepted: socket.socket, head: bytes, body: bytes) -> None:
        missing = int(_header(head, b"content-length")) - len(body)
        if missing:
            body += accepted.recv(missing, socket.MSG_WAITALL)
        ready = frames(head.split(maxsplit=2)[1], body)
        write = os.write
        for descriptor in self._upgraded:
            write(descriptor, ready)
        answer = b'{"reached":%d}' % len(self._upgraded)
        accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    def _close(self, accepted: socket.socket) -> None:
        self._upgraded.pop(accepted.fileno(), None)
        del self._readers[accepted.fileno()]
        accepted.close()


def _header(head: bytes, name: bytes) -> bytes:
    [value] = [line[len(name) + 1 :].strip() for line in head.split(b"\r\n") if line.lower().startswith(name + b":")]
    return value


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.disable()
    Bare(int(os.environ["PORT"])).run()
