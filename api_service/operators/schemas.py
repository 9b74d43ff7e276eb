"""What operators see and send."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.emitter_api import NodeName, State, Target


class FeedState(BaseModel):
    """The way of the events to the emitters."""

    leader: Annotated[str | None, Field(description="the replica that numbers and relays now")]
    log_end: Annotated[int, Field(description="the number of the newest event")]
    undelivered_events: Annotated[
        int | None, Field(description="how many of them a leader has not yet seen the emitter take; at most 1 s old")
    ]
    undelivered_age_s: Annotated[
        float | None, Field(description="how long ago, in seconds, the oldest of those was committed")
    ]


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

    feed: FeedState | None
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
