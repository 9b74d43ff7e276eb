"""Things that are due a fixed time after they were added: one timer for all of them."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_MOST_A_TURN = 200

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Since all wait equally long, they are due in the order in which they were added: no heap, no timer for each."""

    def __init__(self, delay_s: float, due: Callable[[T], None]) -> None:
        self._delay_s = delay_s
        self._due = due
        self._waiting: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __contains__(self, thing: T) -> bool:
        """Whether it waits."""
        return thing in self._waiting

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def first(self) -> T | None:
        """The one that has waited longest."""
        return next(iter(self._waiting), None)

    def add(self, thing: T) -> None:
        """Begin to wait, anew if it does so already."""
        self._waiting.pop(thing, None)
        loop = asyncio.get_running_loop()
        self._waiting[thing] = loop.time() + self._delay_s
        if self._timer is None:
            self._timer = loop.call_later(self._delay_s, self._run)

    def discard(self, thing: T) -> None:
        """Wait no more."""
        self._waiting.pop(thing, None)

    def _run(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        # Those who came together are due together; a few at a time, so that nothing else waits for all of them.
        try:
            for _ in range(_MOST_A_TURN):
                thing, at = next(iter(self._waiting.items()), (None, 0.0))
                if thing is None or at > now:
                    break
                del self._waiting[thing]
                self._due(thing)
        finally:
            # `_due` may have failed, which must not stop the clock for others; or added some, and with them a timer
            # that is too late for those that were left for the next turn.
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(next(iter(self._waiting.values())), self._run) if self._waiting else None
