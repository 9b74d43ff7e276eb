"""How long nothing was heard, and which fault made it so. Pure; all times are of the machine's clock, in ms."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.chaos.schedule import Fault

_NOTEWORTHY_MS = 20.0  # what is shorter is not looked at: there are a million of them


class Injected(NamedTuple):
    """A fault that happened to a process, and when: it ended when the process was started again or went on."""

    fault: Fault
    name: str
    began_ms: float
    ended_ms: float


def longest_silences(times: Iterable[float], faults: Sequence[Injected]) -> list[float]:
    """Return for each fault the longest time between two of `times`.

    A silence belongs to the fault in whose span, from its own beginning to that of the next one, most of it lies.
    """
    longest = [0.0] * len(faults)
    if not faults:
        return longest
    for begin, end in pairwise(sorted(times)):
        if end - begin > _NOTEWORTHY_MS and end > faults[0].began_ms:
            culprit = _culprit(begin, end, faults)
            longest[culprit] = max(longest[culprit], end - begin)
    return longest


def _culprit(begin: float, end: float, faults: Sequence[Injected]) -> int:
    spans = pairwise([*(fault.began_ms for fault in faults), float("inf")])
    overlaps = [min(end, until) - max(begin, since) for since, until in spans]
    return max(range(len(faults)), key=overlaps.__getitem__)


def complete_after(fault: Injected, commits: Sequence[float], arrivals: Iterable[Sequence[float]]) -> float:
    """Return how long after the fault's end everything committed before it had been heard by all.

    Args:
        fault: The fault.
        commits: When each change was committed, in commit order.
        arrivals: For each subscriber, when it heard each of the changes, in commit order.
    """
    before = sum(1 for commit in commits if commit <= fault.ended_ms)
    if before == 0:
        return 0.0
    return max([0.0, *(times[before - 1] - fault.ended_ms for times in arrivals)])
