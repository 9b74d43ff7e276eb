"""How many clients are too many here. Pure."""

import math
from collections.abc import Sequence

_ABOVE_MEAN = 1.25
# Of a few clients, one more is far above the mean.
_LEAST = 20


def excess(own: int, others: Sequence[int]) -> int:
    """Return how many connections to shed, down to the mean of all; 0 up to a quarter above it."""
    mean = (own + sum(others)) / (1 + len(others))
    beyond = own - math.ceil(mean)
    return beyond if own > mean * _ABOVE_MEAN and beyond >= _LEAST else 0
