"""Rates that are counted in this process."""

from contextlib import AbstractAsyncContextManager, nullcontext

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from shared.serving.deadlines import Deadlines

WINDOW_S = 2
"""Over so many seconds it is counted: all that is permitted in them may come at once."""

# Whoever has more addresses than that is not stopped by a rate for each of them.
_MOST = 10_000


class LocalRate:
    """A window for each who comes: the library looks through all that is in one at each count.

    A window that nothing is in any more is forgotten, and beyond 10,000 the one that was used longest ago.
    """

    def __init__(self, per_second: int) -> None:
        self._item = RateLimitItemPerSecond(per_second * WINDOW_S, WINDOW_S)
        self._windows: dict[str, SlidingWindowCounterRateLimiter] = {}
        # A window counts for as long again, ever less, once it is over.
        self._in_use = Deadlines[str](2 * WINDOW_S, self._forget)

    def __len__(self) -> int:
        """Return how many windows there are."""
        return len(self._windows)

    async def permits(self, who: str) -> bool:
        """Count once more, and tell whether it is permitted."""
        window = self._windows.get(who)
        if window is None:
            window = self._windows[who] = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._in_use.add(who)
        if len(self._windows) > _MOST and (longest := self._in_use.first) is not None:
            self._in_use.discard(longest)
            self._forget(longest)
        return await window.hit(self._item)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Have nothing to begin or to end."""
        return nullcontext()

    def _forget(self, who: str) -> None:
        self._windows.pop(who, None)
