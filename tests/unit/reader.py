"""A listener that reads when the test says so."""

from typing import Any

from ws_service.ingest.history import History
from ws_service.ingest.outgoing import Note, Outgoing, Part
from ws_service.ingest.subscriptions import Subscription


class Reader:
    """Keeps what it is given, and notes that it was woken."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.messages: list[Any] = []
        self.is_woken = False
        self.is_dropped = False

    def write(self, part: Part) -> None:
        """Take what all who are live are sent."""
        self.parts.append(part)

    def send(self, note: Note) -> None:
        """Take what has no number."""
        self.messages.append(note)

    def drop(self) -> None:
        """Be closed."""
        self.is_dropped = True

    def wake(self) -> None:
        """Remember it: reading is up to the test."""
        self.is_woken = True

    def read_on(self, subscription: Subscription, history: History) -> bool:
        """Take the next part, if there is one."""
        self.is_woken = False
        part = subscription.next_part(history)
        if part:
            self.write(part)
        return part is not None

    @property
    def heard(self) -> list[Outgoing]:
        """All numbered events, in the order in which they were written."""
        return [each for part in self.parts for each in part.events]

    @property
    def numbers(self) -> list[int]:
        """Their numbers."""
        return [each.event.seq for each in self.heard]
