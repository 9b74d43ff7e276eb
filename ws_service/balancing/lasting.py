"""Whether there were too many every time that somebody looked. Pure."""

from collections import deque

# While a crowd comes, each emitter knows of more of its own clients than of those of others, whose heartbeats are a
# second old.
LOOKS = 3


class Lasting:
    """What was too many the last times."""

    def __init__(self) -> None:
        self._counts: deque[int] = deque(maxlen=LOOKS)

    def look(self, count: int) -> int:
        """Take what is too many now, and return what was too many all the while."""
        self._counts.append(count)
        return min(self._counts) if len(self._counts) == LOOKS else 0

    def forget(self) -> None:
        """Begin anew."""
        self._counts.clear()
