"""How late the event loop calls: what a saturated process shows first."""

import asyncio
import time

from shared import metrics

_EVERY_S = 0.1
_WEIGHT = 0.1  # of the newest measurement in the moving average, which so covers a second


class LoopLag:
    """Measures until cancelled. `seconds` is the moving average."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def run(self) -> None:
        """Sleep, and see how much longer it took."""
        while True:
            start = time.monotonic()
            await asyncio.sleep(_EVERY_S)
            late_s = max(0.0, time.monotonic() - start - _EVERY_S)
            self.seconds += (late_s - self.seconds) * _WEIGHT
            metrics.loop_lag.set(self.seconds)
