"""Between a client's websocket and the emitter's: what both say passes through, and is kept."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import NamedTuple, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


class Packet(NamedTuple):
    """A text message, which way it went, and over which of the connections."""

    connection: int
    is_of_client: bool
    text: str


class Wiretap:
    """Listens at `url`, and keeps the `packets` in their order."""

    def __init__(self, origin: str) -> None:
        self._origin = origin.replace("http", "ws", 1)
        self._numbers = itertools.count()
        self.url = ""
        self.packets: list[Packet] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, origin: str) -> AsyncIterator[Self]:
        """Run one before an origin."""
        tap = cls(origin)
        async with serve(tap._pass_on, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            tap.url = f"http://127.0.0.1:{port}"
            yield tap

    async def _pass_on(self, client: ServerConnection) -> None:
        assert client.request is not None
        number = next(self._numbers)
        async with connect(f"{self._origin}{client.request.path}", proxy=None) as server:
            ways = (self._way(number, client, server, is_of_client=True), self._way(number, server, client))
            await asyncio.gather(*ways)

    async def _way(
        self,
        number: int,
        source: ServerConnection | ClientConnection,
        target: ServerConnection | ClientConnection,
        *,
        is_of_client: bool = False,
    ) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in source:
                self.packets.append(Packet(number, is_of_client, str(message)))
                await target.send(message)
        await target.close()
