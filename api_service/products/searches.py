"""How many searches go on at a time: each may read all of the catalogue, and anybody may ask for one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.metrics import limited
from shared.serving.http.errors import Unavailable

# Far fewer than there are slots for calls of the database: those who write, and those who read a page, never wait for
# who searches.
MOST_SEARCHES = 2
_WAIT_S = 2.0


class Searches:
    """The searches of this replica. Who comes when there are enough waits for a turn."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST_SEARCHES)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Search within the context; raise Unavailable where no turn comes within 2 s."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            limited.labels("searches").inc()
            raise Unavailable(f"{MOST_SEARCHES} searches go on already: try again in a second") from None
        try:
            yield
        finally:
            self._turns.release()
