"""Where the relay's batches go: into the hub of a lone emitter, or into the stream that many emitters read."""

from typing import NamedTuple, Protocol

from shared.emitter_api import Batch, EmitterPosition
from ws_service.ingest.hub import Hub


class Taken(NamedTuple):
    """Whether a batch was taken, and where the log of the emitters ends now."""

    taken: bool
    position: EmitterPosition


class Intake(Protocol):
    """Who takes batches."""

    async def take(self, batch: Batch) -> Taken:
        """Take a batch that follows the position, or nothing of it; raise Unencodable, or a HttpError."""

    async def position(self) -> EmitterPosition:
        """Return how far the emitters have come; raise a HttpError."""


class HubIntake:
    """The intake of a lone emitter."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def take(self, batch: Batch) -> Taken:
        """Have the hub take it. No await: the answer is that of the moment in which it was taken."""
        return Taken(self._hub.take(batch), self._hub.answer())

    async def position(self) -> EmitterPosition:
        """Return the hub's."""
        return self._hub.answer()
