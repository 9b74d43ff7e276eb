"""An application behind the services' own HTTP protocol, and clients that speak HTTP by hand."""

import asyncio
import contextlib
import functools
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple, Self, cast

import uvicorn

from shared.serving.http.connections import Connections
from shared.serving.http.protocol import HttpProtocol
from tests.waiting import eventually

_ANSWERED_TIMEOUT_S = 10


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON."""
        return dict(json.loads(self.body))


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, data: str | bytes) -> None:
        """Send something."""
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def answer(self) -> Answer:
        """Return the next answer."""
        async with asyncio.timeout(_ANSWERED_TIMEOUT_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def ended(self) -> bytes:
        """Wait until the server has closed the connection, and return what it still said."""
        async with asyncio.timeout(_ANSWERED_TIMEOUT_S):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""


class _Server(uvicorn.Server):
    """Without its signal handling: the signals are the test run's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """A running server."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, server: uvicorn.Server) -> AsyncIterator[Self]:
        """Run one on a free port until the context ends."""
        listener = socket.create_server(("127.0.0.1", 0))
        # asyncio's own loop leaves Nagle's algorithm on for such sockets, which costs 40 ms an answer; uvloop does not.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually(lambda: server.started, message="the server listens")
            yield cls(*listener.getsockname())
        finally:
            server.should_exit = True
            await serving

    @contextlib.asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        """Open a connection."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1024 * 1024)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()


def serving(app: Any, *, most: int = 1_000, request_s: float = 30) -> contextlib.AbstractAsyncContextManager[Server]:
    """Run an application with the protocol that both services have."""
    protocol = functools.partial(HttpProtocol, Connections(most, request_s))
    config = uvicorn.Config(app, http=cast("Any", protocol), ws="none", lifespan="off", log_config=None)
    return Server.of(_Server(config))
