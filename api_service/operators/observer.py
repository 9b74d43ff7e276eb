"""Looks at MongoDB and at the emitters, at both at once: what does not answer hides nothing of the other."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from api_service.database import Database
from api_service.emitters import Emitters
from api_service.errors import EmitterDown
from api_service.operators.schemas import EmittersState, EmitterState, SystemState
from api_service.relay.progress import Progress, read_progress
from shared.emitter_api import CONNECTIONS_PATH, Connections
from shared.serving.http.errors import HttpError

# Who looks again every other second had better be told soon.
_DATABASE_WITHIN_S = 2.0
# However many addresses do not answer: what is known of the database is not to wait for all of them.
_EMITTERS_WITHIN_S = 4.0
# Each emitter would go through all of its topics for it, every other second for each who looks.
_WITHOUT_TOPICS = f"{CONNECTIONS_PATH}?topics=false"

T = TypeVar("T")


async def observe(database: Database, emitters: Emitters) -> SystemState:
    """Return what is seen; nothing is raised for what is away."""
    (feed, feed_away), (cluster, cluster_away) = await asyncio.gather(
        _unless_away(_feed(database)), _unless_away(_cluster(emitters))
    )
    return SystemState(feed=feed, feed_away=feed_away, cluster=cluster, cluster_away=cluster_away)


async def _unless_away(seen: Awaitable[T]) -> tuple[T | None, str | None]:
    try:
        return await seen, None
    except HttpError as error:
        return None, error.detail


async def _feed(database: Database) -> Progress:
    async with database.deadline(_DATABASE_WITHIN_S):
        return await read_progress(database)


async def _cluster(emitters: Emitters) -> EmittersState:
    try:
        async with asyncio.timeout(_EMITTERS_WITHIN_S):
            counted = await emitters.get(_WITHOUT_TOPICS, Connections)
    except TimeoutError:
        raise EmitterDown(f"no emitter has answered within {_EMITTERS_WITHIN_S:g} s") from None
    found = [
        EmitterState(node=each.node, state=each.state, connections=each.connections, lag_ms=each.lag_ms)
        for each in counted.nodes
    ]
    return EmittersState(emitters=found, silent_nodes=counted.silent_nodes)
