"""`POST /drain`, `POST /rebalance` for operators; `GET <socket path>/assign` for clients."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel

from shared.emitter_api import DRAIN_PATH, REBALANCE_PATH, Drain, Rebalance, Shedding
from shared.openapi import reference_to
from shared.serving.http.errors import Unavailable
from ws_service.balancing.assign import Assigner
from ws_service.balancing.orders import Orders
from ws_service.calls import OPERATORS, Body, parse
from ws_service.cluster.heart import beat_of
from ws_service.cluster.nodes import Nodes
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest

operations = APIRouter(dependencies=OPERATORS, tags=["operations"])
public = APIRouter(tags=["sockets"])


class Assigned(BaseModel):
    """The emitter to go to."""

    node: str
    url: str


@operations.post(DRAIN_PATH, status_code=202, openapi_extra=reference_to(Drain, required=False))
async def drain(body: Body, request: Request) -> Shedding:
    """Have an emitter take no new clients, and send all that it has to others at an even pace."""
    orders: Orders = request.app.state.orders
    return await orders.drain(parse(Drain, body) if body else Drain())


@operations.post(REBALANCE_PATH, status_code=202, openapi_extra=reference_to(Rebalance))
async def rebalance(body: Body, request: Request) -> Shedding:
    """Have an emitter send clients to others at an even pace until `target` are left."""
    orders: Orders = request.app.state.orders
    return await orders.rebalance(parse(Rebalance, body))


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
