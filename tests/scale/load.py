"""Products that are created and changed all the while, and how many events that has to be."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from tests.chaos.committed import Committed
from tests.chaos.creators import Creators
from tests.system import System
from tests.waiting import eventually

_SEED = 1
_LOGGED_WITHIN_S = 60


class Load:
    """The changes that were made through the API, as MongoDB itself tells them."""

    def __init__(self, system: System, committed: Committed, creators: Creators, before: int) -> None:
        self._system = system
        self._committed = committed
        self._creators = creators
        self._before = before
        self._working = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def on(cls, system: System, rate: float) -> AsyncIterator[Self]:
        """Make so many changes a second, until `stop` or the end of the context."""
        before = await log_end(system)
        async with Committed.watching(system.mongo_url) as committed, AsyncExitStack() as working:
            creators = await working.enter_async_context(Creators.working(system.url, rate, _SEED))
            load = cls(system, committed, creators, before)
            load._working = working
            yield load

    async def stop(self) -> int:
        """Change nothing any more, and return the number that the last event has to have."""
        await self._working.aclose()
        await eventually(self._is_logged, message="every change is in the log", timeout_s=_LOGGED_WITHIN_S)
        return self.last

    @property
    def last(self) -> int:
        """The number that the newest event has to have."""
        return self._before + len(self._committed.changes)

    async def _is_logged(self) -> bool:
        is_seen = self._creators.acknowledged <= self._committed.created()
        return is_seen and await log_end(self._system) == self.last


async def log_end(system: System) -> int:
    """Return the number of the newest event in the log."""
    return int((await system.http.get("/readyz")).json()["log_end"] or 0)
