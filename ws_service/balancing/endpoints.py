"""`POST /drain`, `POST /rebalance` for operators; `GET <socket path>/assign` for clients."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from shared.openapi import reference_to
from shared.serving.http.errors import Unavailable
from ws_service.balancing.assign import Assigner
from ws_service.balancing.balancer import Balancer
from ws_service.calls import OPERATORS, Body, parse
from ws_service.cluster.heart import beat_of
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Nodes, State
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest

operations = APIRouter(dependencies=OPERATORS, tags=["operations"])
public = APIRouter(tags=["sockets"])


class Target(BaseModel):
    """How many connections are to be left."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Annotated[int, Field(ge=0)]


class Shedding(BaseModel):
    """What was begun."""

    state: State
    connections: int
    shedding: int


class Assigned(BaseModel):
    """The emitter to go to."""

    node: str
    url: str


@operations.post("/drain", status_code=202)
async def drain(request: Request) -> Shedding:
    """Take no new clients, and send all that are here to other emitters at an even pace."""
    node: Node = request.app.state.node
    balancer: Balancer = request.app.state.balancer
    balancer.drain()
    return Shedding(state=node.state, connections=node.connections, shedding=node.connections)


@operations.post("/rebalance", status_code=202, openapi_extra=reference_to(Target))
async def rebalance(body: Body, request: Request) -> Shedding:
    """Send clients to other emitters at an even pace until `target` are left."""
    node: Node = request.app.state.node
    balancer: Balancer = request.app.state.balancer
    shedding = balancer.rebalance(parse(Target, body).target)
    return Shedding(state=node.state, connections=node.connections, shedding=shedding)


@public.get("/assign", response_model=Assigned, responses={307: {}, 503: {}})
async def assign(request: Request, *, redirect: bool = False) -> Response:
    """Name the least loaded emitter; with `redirect=1` send the client there."""
    state = request.app.state
    nodes: Nodes | None = state.nodes
    assigner: Assigner = state.assigner
    engine: Engine = state.sockets.server.eio
    headers = {"Cache-Control": "no-store", **dict(engine.cors_headers(EngineRequest.of_scope(request.scope)))}
    chosen = assigner.choose([beat_of(state.node)] if nodes is None else nodes.present())
    if chosen is None:
        raise Unavailable("no emitter with a STORECAST_PUBLIC_WS_URL takes clients now", headers)
    if redirect:
        return RedirectResponse(f"{chosen.url}{state.settings.socket_path}", 307, headers)
    return JSONResponse(Assigned(node=chosen.node, url=chosen.url).model_dump(), headers=headers)
