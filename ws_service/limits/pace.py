"""How far somebody is ahead of a rate. The library for rates takes 40 us to count one; a pong takes 10 altogether."""

import time

# What is due in so many seconds may come at once.
BURST_S = 5


class Pace:
    """What has come of one client, by the generic cell rate algorithm: one number, until when all of it would do.

    https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
    """

    __slots__ = ("_until", "per_second")

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._until = 0.0

    def early_s(self, count: int) -> float:
        """Count what comes, and return how much too early it does, in seconds."""
        now = time.monotonic()
        self._until = max(self._until, now) + count / self.per_second
        return max(0.0, self._until - now - BURST_S)
