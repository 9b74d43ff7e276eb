"""Probes and metrics. Ready means that the relay has handed the history over."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from ws_service.ingest.hub import Hub


class Liveness(BaseModel):
    """The process runs."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether sockets are served with a known position."""

    status: str
    epoch: str | None
    position: int | None


router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> Liveness:
    """Say that the process runs."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether the emitter has a position: 200 or 503."""
    hub: Hub = request.app.state.hub
    answer = hub.answer()
    if answer.position is None:
        response.status_code = 503
    return Readiness(status="waiting" if answer.position is None else "ready", **answer.model_dump())


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Return the counters in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
