"""What was committed and not yet taken by the emitter: how many events, and for how long."""

from datetime import UTC, datetime
from typing import NamedTuple

from api_service.feed.event_log import EventLog


class Backlog(NamedTuple):
    """`age_s` is that of the oldest undelivered event, in seconds since its commit; 0 if there is none."""

    events: int
    age_s: float


async def measure_backlog(log: EventLog, relayed: int, end: int) -> Backlog:
    """Measure what lies between what the emitter has taken and the end of the log."""
    if relayed >= end:
        return Backlog(0, 0.0)
    oldest = await log.oldest_after(relayed)
    age_s = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
    return Backlog(end - relayed, max(0.0, age_s))
