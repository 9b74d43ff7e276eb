"""How far the feed has come, as any replica can tell: who leads, and what the emitter has not taken."""

from typing import NamedTuple

from api_service.database import Database
from api_service.feed.event_log import EventLog
from api_service.feed.lease import read_leadership
from api_service.relay.backlog import measure_backlog


class Progress(NamedTuple):
    """`log_end` is the number of the newest event. What is undelivered is None where no leader has seen any taken."""

    leader: str | None
    log_end: int
    undelivered_events: int | None = None
    undelivered_age_s: float | None = None


async def read_progress(database: Database) -> Progress:
    """Ask the database; raise DatabaseUnavailable."""
    log = EventLog(database)
    _, leader, relayed = await read_leadership(database)
    end, _ = await log.end()
    if relayed is None:
        return Progress(leader, end)
    backlog = await measure_backlog(log, relayed, end)
    return Progress(leader, end, backlog.events, backlog.age_s)
