"""`GET /operate/state`, `POST /operate/drain`, `POST /operate/rebalance`: what operators see and do.

No gateway leads to the emitters' own calls for it: here a token is asked for, and an emitter is shown its secret.
"""

from typing import Annotated, cast

from fastapi import Depends, Request

from api_service.callers import guarded_router
from api_service.emitters import Emitters
from api_service.operators.observer import observe
from api_service.operators.schemas import DrainOrder, RebalanceOrder, SystemState
from shared.emitter_api import DRAIN_PATH, REBALANCE_PATH, Drain, Rebalance, Shedding
from shared.identity.identity import OPERATE

PATH = "/operate"

router = guarded_router(OPERATE, prefix=PATH, tags=["operators"])


# A coroutine, although it does not wait: a plain function would be sent to a thread, for every request.
async def _emitters(request: Request) -> Emitters:
    return cast(Emitters, request.app.state.emitters)


AnyEmitter = Annotated[Emitters, Depends(_emitters)]


@router.get("/state")
async def read_state(request: Request, emitters: AnyEmitter) -> SystemState:
    """Tell who leads, what waits to be delivered, and how each emitter is."""
    return await observe(request.app.state.database, emitters)


@router.post("/drain", status_code=202)
async def drain(order: DrainOrder, emitters: AnyEmitter) -> Shedding:
    """Have an emitter take no new clients, and send all that it has to others at an even pace.

    It takes clients again once its process was started anew. Those of a lone emitter have nowhere to go until then.
    """
    return await emitters.post(DRAIN_PATH, Drain(node=order.node), Shedding)


@router.post("/rebalance", status_code=202)
async def rebalance(order: RebalanceOrder, emitters: AnyEmitter) -> Shedding:
    """Have an emitter send clients to others at an even pace until `target` are left."""
    return await emitters.post(REBALANCE_PATH, Rebalance(node=order.node, target=order.target), Shedding)
