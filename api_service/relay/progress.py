"""How far the feed has come, as any replica can tell: who leads, and what the emitter has not taken."""

from typing import NamedTuple

from api_service.database import Database
from api_service.feed.event_log import EventLog
from api_service.feed.lease import read_leadership
from api_service.relay.backlog import Backlog, measure_backlog


class Progress(NamedTuple):
    """`log_end` is the number of the newest event. `backlog` is None where no leader has seen the emitter take any."""

    leader: str | None
    log_end: int
    backlog: Backlog | None


async def read_progress(database: Database) -> Progress:
    """Ask the database; raise DatabaseUnavailable."""
    log = EventLog(database)
    _, leader, relayed = await read_leadership(database)
    end, _ = await log.end()
    return Progress(leader, end, None if relayed is None else await measure_backlog(log, relayed, end))
