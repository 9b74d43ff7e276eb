"""Probes and metrics. Liveness asks nobody; readiness asks MongoDB and not the emitter, which no request needs."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api_service.database import Database
from api_service.errors import DatabaseUnavailable
from api_service.feed.event_log import EventLog
from api_service.feed.lease import read_leadership


class Liveness(BaseModel):
    """The process runs."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether requests can be served, and what the feed is doing."""

    status: str
    leader: Annotated[str | None, Field(description="the replica that numbers and relays now")] = None
    log_end: Annotated[int | None, Field(description="the number of the newest event")] = None


router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> Liveness:
    """Say that the process runs."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether MongoDB answers: 200 or 503."""
    database: Database = request.app.state.database
    try:
        leadership = await read_leadership(database)
        end = await EventLog(database).end()
    except DatabaseUnavailable:
        response.status_code = 503
        return Readiness(status="unavailable")
    return Readiness(status="ready", leader=leadership.leader, log_end=end.seq)


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Return the counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
