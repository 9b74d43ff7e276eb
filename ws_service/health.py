"""Probes and metrics. Ready means that clients should come: there is a history, and what comes next will be heard."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from shared.emitter_api import State
from ws_service.cluster.node import Node
from ws_service.ingest.hub import Hub
from ws_service.measures import measure_node, measure_sessions


class Liveness(BaseModel):
    """Whether the process should go on as it is."""

    status: Literal["alive", "deaf"] = "alive"


class Readiness(BaseModel):
    """Whether clients should come."""

    status: State
    epoch: str | None
    position: int | None


router = APIRouter(tags=["operations"])


@router.get("/livez", responses={503: {"model": Liveness}})
async def livez(request: Request, response: Response) -> Liveness:
    """Say that the process runs; 503 where only a new one would help."""
    node: Node = request.app.state.node
    if node.is_dead:
        response.status_code = 503
        return Liveness(status="deaf")
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether clients should come: 200 or 503."""
    hub: Hub = request.app.state.hub
    node: Node = request.app.state.node
    if node.state != "ready":
        response.status_code = 503
    return Readiness(status=node.state, **hub.answer().model_dump())


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Return the counters in Prometheus' text format."""
    state = request.app.state
    measure_node(state.node, state.nodes)
    measure_sessions(state.sockets.server.eio, state.listeners)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
