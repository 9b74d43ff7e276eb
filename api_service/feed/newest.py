"""The events that were appended last, for whoever reads them next."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from shared.events import Event


class Sized(NamedTuple):
    """An event, and how many bytes it takes as JSON."""

    event: Event
    size: int

    @classmethod
    def of(cls, event: Event) -> "Sized":
        """Measure an event."""
        return cls(event, len(event.model_dump_json().encode()))


class Newest:
    """The last events in an unbroken line: so many at most, and so many bytes of them."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self.clear()

    def clear(self) -> None:
        """Forget them."""
        self._events: deque[Sized] = deque()
        self._bytes = 0

    def add(self, events: Sequence[Event]) -> None:
        """Add what was appended."""
        if not self.ends_at(events[0].seq - 1):
            self.clear()
        for event in map(Sized.of, events):
            self._events.append(event)
            self._bytes += event.size
        while len(self._events) > self._most or self._bytes > self._most_bytes:
            self._bytes -= self._events.popleft().size

    def ends_at(self, seq: int) -> bool:
        """Tell whether the newest of them has the number `seq`."""
        return bool(self._events) and self._events[-1].event.seq == seq

    def read(self, after: int) -> list[Sized] | None:
        """Return those beyond the number `after`; None if they do not reach back so far."""
        if not self._events or self._events[0].event.seq > after + 1:
            return None
        return [each for each in self._events if each.event.seq > after]
