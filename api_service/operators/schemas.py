"""What operators see and send."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api_service.relay.progress import Progress
from shared.emitter_api import NodeName, State, Target


class EmitterState(BaseModel):
    """One emitter."""

    node: str
    state: Annotated[State, Field(description="clients come only where it is ready")]
    connections: int
    lag_ms: Annotated[float, Field(description="how late its event loop calls, as a moving average")]


class EmittersState(BaseModel):
    """The emitters that are there."""

    emitters: list[EmitterState]
    silent_nodes: Annotated[list[str], Field(description="emitters that are there and have not answered within 2 s")]


class SystemState(BaseModel):
    """All that there is to be seen. What does not answer is null, and `..._away` says why."""

    feed: Progress | None
    feed_away: str | None
    cluster: EmittersState | None
    cluster_away: str | None


class DrainOrder(BaseModel):
    """Which emitter is to send all of its clients to others, and to take no more."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"node": "emitter-2"}]})

    node: NodeName


class RebalanceOrder(BaseModel):
    """Which emitter is to send clients to others, until so many are left."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"node": "emitter-2", "target": 500}]}
    )

    node: NodeName
    target: Target
