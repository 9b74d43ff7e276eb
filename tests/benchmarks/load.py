"""The load generator as the benchmark sees it: who posts to one server, and all its clients."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Self

from tests.benchmarks.asking import Asked
from tests.benchmarks.servers import Server, peer_environment
from tests.benchmarks.usage import on_core
from tests.benchmarks.workload import Workload

LOAD_CORE = -1
_CONNECTED_WITHIN_S = 120


class Connected(NamedTuple):
    """What it took to connect clients. `cpu_s` is the load generator's own."""

    clients: int
    seconds: float
    cpu_s: float


class Broadcasts(NamedTuple):
    """Posts, each when the one before had been heard by all. `cpu_s` is the load generator's own.

    `last_s` is, for each, the time from just before the POST to the last client.
    """

    last_s: list[float]
    deliveries: int
    seconds: float
    cpu_s: float


class Load:
    """The load of one server."""

    def __init__(self, ask: Asked, server: Server) -> None:
        self._process = ask
        self._server = server

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, server: Server) -> AsyncIterator[Self]:
        """Start the load generator for a server, on another core than the server's; what is posted next is live."""
        async with contextlib.AsyncExitStack() as stack:
            with on_core(LOAD_CORE):
                asked = Asked.running("generator", peer_environment(server.port, server.settings))
                load = cls(await stack.enter_async_context(asked), server)
            await load._ask("open")
            yield load

    async def connect(self, clients: int) -> Connected:
        """Connect so many more clients."""
        return Connected(**await self._ask("connect", count=clients, timeout_s=_CONNECTED_WITHIN_S))

    async def broadcast(self, workload: Workload, *, least: int, seconds: float) -> Broadcasts:
        """Post for so long, and so many times at the least."""
        return Broadcasts(**await self._ask("broadcast", name=workload.name, least=least, seconds=seconds))

    async def idle(self, seconds: float) -> int:
        """Do nothing but answer pings, and return how many there were."""
        return int((await self._ask("idle", seconds=seconds))["pings"])

    async def drop(self) -> None:
        """Close every connection."""
        await self._ask("drop")

    async def _ask(self, what: str, **how: Any) -> dict[str, Any]:
        try:
            return await self._process(what, **how)
        except AssertionError as error:
            raise AssertionError(f"{self._server.name}: {error}\n{self._server.tail()}") from None
