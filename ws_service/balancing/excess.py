"""How many clients are too many here. Pure."""

import math
from collections.abc import Sequence

_ABOVE_MEAN = 1.25
# Of a few clients, one more is far above the mean.
_LEAST = 20


def excess(own: int, others: Sequence[int], moving: int = 0) -> int:
    """Return how many connections to shed, down to the mean of all; 0 up to a quarter above it.

    Args:
        own: The connections here.
        others: Those of each of the other emitters that take clients.
        moving: Those of emitters that drain: they come to the ones that take clients.
    """
    beyond = beyond_mean(own, others, moving)
    return beyond if own > _mean(own, others, moving) * _ABOVE_MEAN and beyond >= _LEAST else 0


def beyond_mean(own: int, others: Sequence[int], moving: int = 0) -> int:
    """Return how many connections there are here beyond the mean; see `excess`."""
    return own - math.ceil(_mean(own, others, moving))


def _mean(own: int, others: Sequence[int], moving: int) -> float:
    return (own + sum(others) + moving) / (1 + len(others))
