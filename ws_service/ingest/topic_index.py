"""Which events of the history are of which topics: who comes back to a quiet topic reads its events, and not all."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby

# Of a topic so many numbers of dropped events are left where they stand.
_MOST_STALE = 64


class TopicIndex:
    """The numbers of the kept events of each topic, in their order."""

    def __init__(self) -> None:
        self._of: dict[str, array[int]] = {}

    def add(self, seq: int, topics: Iterable[str]) -> None:
        """Have the newest event, with the number `seq`, found by its topics."""
        for topic in set(topics):
            if topic not in self._of:
                self._of[topic] = array("Q")
            self._of[topic].append(seq)

    def drop(self, seq: int, topics: Iterable[str]) -> None:
        """Forget the oldest event, with the number `seq`."""
        for topic in set(topics):
            if (numbers := self._of.get(topic)) is None:
                continue
            stale = bisect_right(numbers, seq)
            if stale == len(numbers):
                del self._of[topic]
            # Not each time: what is behind it is moved.
            elif stale > max(_MOST_STALE, len(numbers) // 2):
                del numbers[:stale]

    def find(self, topics: Iterable[str], first: int, last: int) -> Iterator[int]:
        """Return the numbers from `first` to `last` of the events of any of the topics, in order, each once."""
        found = [_between(numbers, first, last) for numbers in self._any(topics)]
        if len(found) == 1:
            return found[0]
        return (seq for seq, _ in groupby(merge(*found)))

    def count(self, topics: Iterable[str], first: int) -> int:
        """Return how many events from the number `first` on are of any of the topics."""
        found = [numbers[bisect_left(numbers, first) :] for numbers in self._any(topics)]
        return len(found[0]) if len(found) == 1 else len(set().union(*found))

    def _any(self, topics: Iterable[str]) -> list["array[int]"]:
        return [self._of[topic] for topic in topics if topic in self._of]


def _between(numbers: "array[int]", first: int, last: int) -> Iterator[int]:
    return (numbers[place] for place in range(bisect_left(numbers, first), bisect_right(numbers, last)))
