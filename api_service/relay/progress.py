"""How far the feed has come, as any replica can tell: who leads, and what the emitter has not taken."""

from typing import Annotated

from pydantic import BaseModel, Field

from api_service.database import Database
from api_service.feed.event_log import EventLog
from api_service.feed.lease import read_leadership
from api_service.relay.backlog import measure_backlog


class Progress(BaseModel):
    """The way of the events to the emitters. What is undelivered is None where no leader has seen any taken."""

    leader: Annotated[str | None, Field(description="the replica that numbers and relays now")]
    log_end: Annotated[int, Field(description="the number of the newest event")]
    undelivered_events: Annotated[
        int | None, Field(description="how many of them a leader has not yet seen the emitter take; at most 1 s old")
    ] = None
    undelivered_age_s: Annotated[
        float | None, Field(description="how long ago, in seconds, the oldest of those was committed")
    ] = None


async def read_progress(database: Database) -> Progress:
    """Ask the database; raise DatabaseUnavailable."""
    log = EventLog(database)
    _, leader, relayed = await read_leadership(database)
    end, _ = await log.end()
    progress = Progress(leader=leader, log_end=end)
    if relayed is not None:
        backlog = await measure_backlog(log, relayed, end)
        progress.undelivered_events, progress.undelivered_age_s = backlog.events, backlog.age_s
    return progress
