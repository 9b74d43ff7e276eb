"""`GET /events`: the event log, for programs that rather ask than listen."""

from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api_service.callers import guarded_router
from api_service.database import Database
from api_service.errors import DatabaseUnavailable, OffsetGone
from api_service.feed.event_log import EventLog
from api_service.feed.lease import read_leadership
from shared.events import OFFSET_PATTERN, Event, Position
from shared.identity.identity import PRODUCTS_READ
from shared.problems import FieldError
from shared.serving.http.errors import Invalid


class EventsQuery(BaseModel):
    """What part of the log to read."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[
        str | None,
        Field(
            max_length=100,
            description="the offset of the last event you have; none: the oldest kept",
            json_schema_extra={"pattern": OFFSET_PATTERN},
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class EventsPage(BaseModel):
    """Consecutive events, oldest first: up to `limit`, and fewer where they are large."""

    events: list[Event]
    next: Annotated[str, Field(description="the `after` of the next page, also where there are no more events yet")]


router = guarded_router(PRODUCTS_READ, tags=["events"])


@router.get("/events", responses={410: {}})
async def list_events(query: Annotated[EventsQuery, Query()], request: Request) -> EventsPage:
    """Return the committed changes after an offset, in commit order; 410 if the log does not reach back to it."""
    database: Database = request.app.state.database
    async with database.deadline():
        epoch = (await read_leadership(database)).epoch
        if not epoch:
            raise DatabaseUnavailable("the event log is being made; try again in a second")
        after = 0 if query.after is None else _seq(query.after, epoch)
        events = await EventLog(database).read(after, query.limit)
    # Seen in what was read: asked beforehand, the log could be trimmed in between.
    if query.after is not None and events and events[0].seq != after + 1:
        raise _gone()
    return EventsPage(events=events, next=str(Position(epoch, events[-1].seq if events else after)))


def _seq(offset: str, epoch: str) -> int:
    try:
        position = Position.parse(offset)
    except ValueError as error:
        raise Invalid.field("after", str(error)) from None
    if position.epoch != epoch:
        raise _gone()
    return position.seq


def _gone() -> OffsetGone:
    message = "the log does not reach back to this offset: read the products anew, then go on without `after`"
    return OffsetGone(message, [FieldError("after", message)])
