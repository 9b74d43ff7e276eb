"""A replica's candidacy in this process: the real leader, on a real MongoDB, before a real emitter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from api_service.feed.lease import read_leadership
from api_service.leader import Leader
from api_service.relay.emitter_client import EmitterClient
from tests.integration.feed import Feed, settings
from tests.waiting import eventually


@asynccontextmanager
async def candidate(url: str, instance: str, emitter_address: str, **fields: Any) -> AsyncIterator[None]:
    """Campaign for as long as the context lasts, as a replica does; `fields` are its other settings."""
    chosen = settings(url, emitter_url=f"http://{emitter_address}", **fields)
    async with Feed.open(url, instance) as feed, EmitterClient.connect(chosen) as client:
        leader = Leader(feed.database, feed.lease, client, feed.prepare, chosen)
        running = asyncio.create_task(leader.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def leads(feed: Feed, instance: str) -> None:
    """Wait until the replica of this name holds the lease."""

    async def is_leader() -> bool:
        return (await read_leadership(feed.database)).leader == instance

    await eventually(is_leader, message=f"{instance} leads")
