"""Probes and metrics. Liveness asks nobody; readiness asks MongoDB and not the emitter, which no request needs."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from api_service.database import Database
from api_service.errors import DatabaseUnavailable
from api_service.relay.progress import read_progress


class Liveness(BaseModel):
    """The process runs."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether requests can be served, and what the feed is doing."""

    status: str
    leader: Annotated[str | None, Field(description="the replica that numbers and relays now")] = None
    log_end: Annotated[int | None, Field(description="the number of the newest event")] = None
    undelivered_events: Annotated[
        int | None, Field(description="how many of them a leader has not yet seen the emitter take; at most 1 s old")
    ] = None
    undelivered_age_s: Annotated[
        float | None, Field(description="how long ago, in seconds, the oldest of those was committed")
    ] = None


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
        progress = await read_progress(database)
    except DatabaseUnavailable:
        response.status_code = 503
        return Readiness(status="unavailable")
    return Readiness(status="ready", **progress._asdict())


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Return the counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
