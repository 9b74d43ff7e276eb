"""What to do with events that the emitter finds malformed or too large.

A batch that is refused is narrowed down by halving to the events that are at fault. Asking does no harm: the emitter
judges a batch before it looks at the position, so that an event further on is answered with 409 if it could be taken.
"""

from collections.abc import Sequence
from typing import NamedTuple

from api_service.relay.emitter_client import BatchRefused, EmitterClient
from shared.emitter_api import Batch
from shared.events import Event


class Refusal(NamedTuple):
    """An event that cannot be taken, and what the emitter says about it."""

    event: Event
    reason: str


async def find_refused(emitter: EmitterClient, epoch: str, events: Sequence[Event]) -> list[Refusal]:
    """Return those of the events that the emitter refuses."""
    if not events:
        return []
    try:
        await emitter.post(Batch(epoch=epoch, events=list(events)))
    except BatchRefused as error:
        if len(events) == 1:
            return [Refusal(events[0], str(error))]
    else:
        return []
    middle = len(events) // 2
    return [
        *await find_refused(emitter, epoch, events[:middle]),
        *await find_refused(emitter, epoch, events[middle:]),
    ]


def spread(events: Sequence[Event], count: int) -> Sequence[Event]:
    """Return up to `count` of the events, evenly spread."""
    return events[:: -(-len(events) // count)]


def versions_disagree(refused: int, asked: int) -> bool:
    """Tell whether it is not the events that are at fault: most of them are refused."""
    return refused * 2 > asked
