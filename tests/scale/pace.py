"""How evenly things happen. Pure."""

import math
from collections import Counter
from collections.abc import Sequence


def per_second(times_ms: Sequence[float]) -> list[int]:
    """Return how much happened in each second from the first time to the last."""
    if not times_ms:
        return []
    first = min(times_ms)
    seconds = Counter(math.floor((at_ms - first) / 1e3) for at_ms in times_ms)
    return [seconds[second] for second in range(max(seconds) + 1)]


def most_over_mean(counts: Sequence[int]) -> float:
    """Return how much the fullest second has beyond the mean one."""
    return max(counts) * len(counts) / sum(counts) if counts else 0.0
