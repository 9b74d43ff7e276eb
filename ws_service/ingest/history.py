"""The recent events: consecutive, bounded by count and bytes, shared by every socket that has to catch up."""

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.events import EVERYONE
from ws_service.ingest.entry import Entry
from ws_service.ingest.topic_index import TopicIndex

# Topics whose last dropped event is remembered one by one; of all others, the newest forgotten one counts.
MAX_DROPPED_TOPICS = 100_000


class Chunk(NamedTuple):
    """Events of some topics, and the number up to which there are no others of them."""

    events: list[Entry]
    seq: int


class History:
    """The events from some number on, up to the newest."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self.clear(0)

    def clear(self, seq: int) -> None:
        """Forget everything; what comes next follows the number `seq`, and nothing is known of what came before."""
        self._kept: dict[int, Entry] = {}
        self._index = TopicIndex()
        self._bytes = 0
        self._floor = seq
        self._dropped: OrderedDict[str, int] = OrderedDict()
        self.last = seq

    def append(self, event: Entry) -> None:
        """Add the next event, and drop the oldest beyond the bounds. `event.seq` must be `last + 1`."""
        self.last = event.seq
        self._kept[event.seq] = event
        self._bytes += event.size
        self._index.add(event.seq, event.heard_on)
        while self._kept and (len(self._kept) > self._max_events or self._bytes > self._max_bytes):
            self._drop_oldest()

    def reaches_back_to(self, seq: int, topics: AbstractSet[str]) -> bool:
        """Tell whether every event of `topics` beyond the number `seq` is still here.

        A quiet topic is not lost because others were busy: what counts is the newest dropped event of its own.
        """
        return seq >= self._floor and all(seq >= self._dropped.get(topic, 0) for topic in {*topics, EVERYONE})

    def read(self, after: int, topics: AbstractSet[str], max_bytes: int, until: int | None = None) -> Chunk:
        """Return the next events of `topics` beyond the number `after`: up to `max_bytes`, and at least one if any."""
        last = self.last if until is None else min(until, self.last)
        events: list[Entry] = []
        size = 0
        for seq in self._index.find({*topics, EVERYONE}, max(after + 1, self._oldest), last):
            event = self._kept[seq]
            size += event.size
            if events and size > max_bytes:
                return Chunk(events, seq - 1)
            events.append(event)
        return Chunk(events, max(after, last))

    def count(self, after: int, topics: AbstractSet[str]) -> int:
        """Return how many events of `topics` there are beyond the number `after`."""
        return self._index.count({*topics, EVERYONE}, max(after + 1, self._oldest))

    @property
    def is_empty(self) -> bool:
        """Whether no event is kept."""
        return not self._kept

    @property
    def _oldest(self) -> int:
        return self.last - len(self._kept) + 1

    def _drop_oldest(self) -> None:
        event = self._kept.pop(self._oldest)
        self._bytes -= event.size
        self._index.drop(event.seq, event.heard_on)
        for topic in event.topics:
            self._dropped[topic] = event.seq
            self._dropped.move_to_end(topic)
        while len(self._dropped) > MAX_DROPPED_TOPICS:
            # Of the topics that are remembered, this one's drop is the oldest: all that is forgotten is below it.
            _, self._floor = self._dropped.popitem(last=False)
