"""How often one client may publish."""

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

# Over so many seconds the messages are counted: all that is permitted in them may come at once.
_WINDOW_S = 2


class Limiter:
    """A sliding window of one client's own: what goes with the client needs no clearing, and nobody else's counts."""

    def __init__(self, per_second: int) -> None:
        self._limit = RateLimitItemPerSecond(per_second * _WINDOW_S, _WINDOW_S)
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def permits(self) -> bool:
        """Count a message, and tell whether it is permitted."""
        return await self._window.hit(self._limit)
