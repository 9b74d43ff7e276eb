"""Where a listener is in the log: what it has heard already, where it goes on, what it has missed. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.events import Position


class Place:
    """What is heard moves it forward.

    Args:
        after: The offset to begin after; None: from now on.
    """

    def __init__(self, after: str | None = None) -> None:
        self.after = after
        self._position: Position | None = None

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Take an event's place; return whether the event is new. What has no number is."""
        offset = message.get("offset")
        if offset is None:
            return True
        position = Position.parse(offset)
        # Of another epoch, any number is new.
        if self._position and self._position.epoch == position.epoch and position.seq <= self._position.seq:
            return False
        self._move(position)
        return True

    def begin(self, welcome: Mapping[str, Any]) -> str | None:
        """Take the place that the emitter gives; return what was missed before it, in words, or None."""
        asked, recovered = self.after, welcome["recovered"]
        # What was missed comes after this: it is the events that move the place then.
        if asked is not None and recovered:
            return None
        position = welcome["position"]
        self._position, self.after = None, None
        if position is not None:
            self._move(Position.parse(position))
        return None if asked is None else f"events between {asked} and {self.after or 'now'} were missed"

    def _move(self, position: Position) -> None:
        self._position, self.after = position, str(position)
