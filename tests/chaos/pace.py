"""How fast the creating clients change things together."""

import asyncio
import time

_MOST_TO_CATCH_UP = 200


class Pace:
    """Gives turns at a steady rate. What an outage held up is made up for, within limits, as fast as the system can."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next = time.monotonic()

    async def turn(self) -> None:
        """Wait for the next turn."""
        now = time.monotonic()
        self._next = max(self._next + self._interval_s, now - _MOST_TO_CATCH_UP * self._interval_s)
        await asyncio.sleep(self._next - now)
