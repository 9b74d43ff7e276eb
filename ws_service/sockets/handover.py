"""Waiting for the relay: who comes before the history is there could not be given what it missed."""

import asyncio
from contextlib import suppress

from ws_service.ingest.hub import Hub

_MOST_WAITS = 6


async def wait_for_history(hub: Hub, timeout_ms: int) -> None:
    """Wait until the hub has a position, or until the time-out passes without anything having arrived."""
    # A long history takes longer than the time-out: as long as it is coming in, waiting is worth it.
    for _ in range(_MOST_WAITS):
        arrived = hub.history.last
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000):
                await hub.opened()
        if hub.position is not None or hub.history.last == arrived:
            return
