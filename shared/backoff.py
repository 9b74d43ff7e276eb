"""How long to wait before the next try. Pure."""

import random

BASE_S = 0.05
# Short: a try costs a connection, and whatever comes back is noticed within it. Tried with 2 s, an emitter that was up
# again waited 1.8 s for its history.
CAP_S = 0.25


def delay_s(failures: int, chance: float, cap_s: float = CAP_S) -> float:
    """Return the wait after so many failures in a row: exponential, capped, with full jitter by `chance` in [0, 1).

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    # At least half, so that a try never follows at once, and no two replicas keep step.
    return min(cap_s, BASE_S * 2.0 ** min(failures, 16)) * (0.5 + chance / 2)


class Backoff:
    """Counts the failures in a row of one loop."""

    def __init__(self, cap_s: float = CAP_S) -> None:
        self._cap_s = cap_s
        self._failures = 0

    def next_s(self) -> float:
        """Count a failure and return how long to wait."""
        self._failures += 1
        chance = random.random()  # noqa: S311  # jitter is no secret
        return delay_s(self._failures - 1, chance, self._cap_s)

    def reset(self) -> None:
        """Forget the failures: something worked."""
        self._failures = 0
