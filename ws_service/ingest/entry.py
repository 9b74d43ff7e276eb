"""One numbered event as the emitter keeps it: the payload encoded once, for the history and for every transport."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple, Self

import orjson

from shared.events import EVERYONE, Event

# What an entry has besides its payload, in bytes: close enough for a bound on memory.
_AROUND_PAYLOAD = 400


class Unencodable(ValueError):
    """A payload that JSON has no room for."""


class Entry(NamedTuple):
    """An event with its payload as JSON. `event` is None for a parked one."""

    seq: int
    id: str
    event: str | None
    payload: bytes
    topics: tuple[str, ...]
    time: str

    @classmethod
    def of(cls, event: Event) -> Self:
        """Encode an event; raise Unencodable."""
        try:
            payload = orjson.dumps(event.payload)
        except TypeError as error:
            raise Unencodable(f"event {event.seq}: payload: {error}") from None
        return cls(event.seq, event.id, event.event, payload, event.topics, event.time)

    @property
    def heard_on(self) -> tuple[str, ...]:
        """The topics whose subscribers hear it; a parked event is heard by nobody."""
        return () if self.event is None else self.topics

    def is_for(self, topics: AbstractSet[str]) -> bool:
        """Tell whether a subscriber of `topics` hears it."""
        return EVERYONE in self.heard_on or not topics.isdisjoint(self.heard_on)

    @property
    def size(self) -> int:
        """How much memory it takes, in bytes."""
        return len(self.payload) + _AROUND_PAYLOAD
