"""Emitters that share a real Redis, in this process, so that a test can look inside."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any

from shared.emitter_api import Batch
from tests.integration.emitter import Emitter, RawClient
from tests.waiting import eventually


@contextlib.asynccontextmanager
async def emitters(count: int, url: str, **fields: Any) -> AsyncIterator[list[Emitter]]:
    """Run emitters; they have no history yet, and hear each other."""
    async with contextlib.AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(Emitter.running(redis_url=url, instance=f"emitter-{number}", **fields))
            for number in range(1, count + 1)
        ]
        for emitter in running:
            await eventually(partial(_hears, emitter, count), message="all hear all")
        yield running


async def all_at(position: int, running: list[Emitter]) -> None:
    """Wait until all have come so far."""
    for emitter in running:
        await eventually(partial(_is_at, emitter, position), message=f"an emitter is at {position}")


def _hears(emitter: Emitter, count: int) -> bool:
    return len(emitter.nodes.present()) == count


def _is_at(emitter: Emitter, position: int) -> bool:
    return emitter.hub.position is not None and emitter.hub.position.seq >= position


async def open_all(running: list[Emitter], last: int) -> None:
    """Hand over the events 1 to `last` as history, by one of them."""
    await running[0].open_with(last)
    await all_at(last, running)


async def deliver(batch: Batch, emitter: Emitter) -> None:
    """Post as the relay does: again, until it is taken."""

    async def taken() -> bool:
        return (await emitter.post(batch)).is_success

    await eventually(taken, message="the batch is taken")


@contextlib.asynccontextmanager
async def clients(running: Iterable[Emitter], auth: object = None) -> AsyncIterator[list[RawClient]]:
    """Connect a client to each emitter."""
    async with contextlib.AsyncExitStack() as stack:
        connected = [await stack.enter_async_context(emitter.client(auth)) for emitter in running]
        for client in connected:
            await client.welcome()
        yield connected
