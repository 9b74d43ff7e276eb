"""Probes and metrics. Liveness asks nobody; readiness asks MongoDB and not the emitter, which no request needs."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from api_service.database import Database
from api_service.errors import DatabaseUnavailable
from api_service.relay.progress import Progress, read_progress


class Liveness(BaseModel):
    """The process runs."""

    status: str = "alive"


class Ready(Progress):
    """Requests can be served, and this is what the feed is doing."""

    status: Literal["ready"] = "ready"


class Unready(BaseModel):
    """MongoDB does not answer."""

    status: Literal["unavailable"] = "unavailable"


router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> Liveness:
    """Say that the process runs."""
    return Liveness()


@router.get("/readyz", response_model=Ready, responses={503: {"model": Unready}})
async def readyz(request: Request) -> Ready | JSONResponse:
    """Say whether MongoDB answers: 200 or 503."""
    database: Database = request.app.state.database
    try:
        async with database.deadline():
            progress = await read_progress(database)
    except DatabaseUnavailable:
        return JSONResponse(Unready().model_dump(), 503)
    return Ready(**progress.model_dump())


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Return the counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
