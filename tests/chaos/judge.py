"""Whether a subscriber heard what was committed: each change once, in commit order. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Change(NamedTuple):
    """What makes a change to a product different from every other one."""

    event: str
    product: str
    version: int | None


class Heard(NamedTuple):
    """A numbered event as a stock client was given it, at a time of the machine's clock."""

    seq: int
    change: Change
    at_ms: float


class Verdict(NamedTuple):
    """What is wrong with what one subscriber heard; `unknown` was never committed."""

    lost: list[Change]
    doubled: list[Change]
    out_of_order: list[Change]
    unknown: list[Change]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self)


def commit_order(committed: Sequence[Change]) -> dict[Change, int]:
    """Return the place of each change in the order of the commits."""
    return {change: place for place, change in enumerate(committed)}


def judge(places: Mapping[Change, int], heard: Sequence[Heard]) -> Verdict:
    """Hold what a subscriber heard, in order of arrival, against the commits and against its own numbers."""
    verdict = Verdict([], [], [], [])
    seen: set[Change] = set()
    last_seq = last_place = -1
    for seq, change, _ in heard:
        place = places.get(change)
        if place is None:
            verdict.unknown.append(change)
        elif change in seen:
            verdict.doubled.append(change)
        else:
            seen.add(change)
            if seq <= last_seq or place <= last_place:
                verdict.out_of_order.append(change)
            last_seq, last_place = max(seq, last_seq), max(place, last_place)
    verdict.lost.extend(change for change in places if change not in seen)
    return verdict
