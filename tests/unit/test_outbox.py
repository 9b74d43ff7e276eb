import asyncio

import pytest

from ws_service.engine.polling import HIGH_WATER_BYTES
from ws_service.listeners.outbox import Outbox

LARGE = b"x" * (HIGH_WATER_BYTES + 1)


class Response:
    """An outbox, and what its feed and its connection are told."""

    def __init__(self, max_pending_bytes: int = 10 * len(LARGE)) -> None:
        self.outbox = Outbox(max_pending_bytes)
        self.outbox.sender = self
        self.outbox.abort = lambda: self.told.append("abort")
        self.told: list[str] = []

    def hold(self) -> None:
        """Be told that it is full."""
        self.told.append("hold")

    def wake(self) -> None:
        """Be told that there is room."""
        self.told.append("wake")

    async def take(self) -> bytes | None:
        """Take what waits, if there is something."""
        return await self.outbox.take(0.01)


async def test_what_waits_is_taken_together() -> None:
    """What was queued since the last time leaves as one, in order; nothing comes where nothing waits."""
    response = Response()
    response.outbox.send(b"a")
    response.outbox.send(b"b")
    assert await response.take() == b"ab"
    assert await response.take() == b""


async def test_there_is_room_once_the_connection_has_taken_it() -> None:
    """What was taken from the outbox waits for the connection still, until the next is asked for."""
    response = Response()
    response.outbox.send(LARGE)
    response.outbox.send(b"more")
    assert response.told == ["hold"]
    await response.take()
    assert response.outbox.is_full
    await response.take()
    assert response.told == ["hold", "wake"]
    assert not response.outbox.is_full


async def test_more_than_may_wait_ends_it() -> None:
    """A connection that takes nothing is cut off, and what was queued for it is dropped."""
    response = Response(2 * len(LARGE))
    for _ in range(4):
        response.outbox.send(LARGE)
    assert response.told == ["hold", "abort"]
    assert await response.take() is None


@pytest.mark.parametrize("is_taking", [True, False])
async def test_an_end_cuts_off_who_does_not_take(*, is_taking: bool) -> None:
    """A response that waits for news ends in order; one that waits for its client would never end."""
    response = Response()
    if is_taking:
        taking = asyncio.create_task(response.outbox.take(10))
        await asyncio.sleep(0)
    response.outbox.drop()
    response.outbox.drop()
    assert response.told == ([] if is_taking else ["abort"])
    response.outbox.send(b"too late")
    assert await (taking if is_taking else response.take()) is None
