import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from api_service.feed.lease import LEASE_MS, read_leadership
from tests.integration.feed import Feed
from tests.waiting import eventually

TRIES = 30


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url, "api-1") as feed:
        yield feed


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url, "api-2") as feed:
        yield feed


async def test_one_holds_the_lease_at_a_time(one: Feed, two: Feed) -> None:
    """The holder renews, the other is refused, and everyone may know who it is."""
    assert (await read_leadership(one.database)).leader is None
    assert await one.lease.take()
    assert await two.lease.take() is None
    assert await one.lease.renew(7)
    assert await two.lease.renew(8) is None
    assert (await read_leadership(two.database)).relayed == 7
    assert (await read_leadership(two.database)).leader == "api-1"


async def test_of_many_that_try_at_once_one_wins(one: Feed, two: Feed) -> None:
    """The lease is taken by one write: there is no moment at which two could have it."""
    for _ in range(TRIES):
        began = time.monotonic()
        taken = await asyncio.gather(*(feed.lease.take() for feed in (one, two) * 5))
        # On a machine that stood still meanwhile it may have run out, and been taken again.
        runs_out = int((time.monotonic() - began) * 1_000 / LEASE_MS)
        assert 1 <= sum(state is not None for state in taken) <= 1 + runs_out
        for feed in (one, two):
            await feed.lease.release()


async def test_a_take_that_has_waited_takes_no_lease_of_the_meantime(one: Feed, two: Feed) -> None:
    """Its time is that at which it came: a lease that was given while it waited ends later than any from that time."""
    feeds = one.database.handle["feed"]
    async with await one.database.client.start_session() as session, session.start_transaction():
        await feeds.update_one({}, {"$set": {"owner": "first"}}, session=session)
        waiting = asyncio.create_task(two.lease.take())
        await eventually(lambda: waits(one), message="the other waits for the document")
        # As `take` does it, now.
        lease = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": LEASE_MS}}
        await feeds.update_one({}, [{"$set": {"expires_at": lease}}], session=session)
    assert await waiting is None


async def waits(feed: Feed) -> bool:
    """Whether a command has met another that writes the same document of the feed."""
    operations = await feed.database.client.admin.command(
        {"currentOp": True, "command.findAndModify": "feed", "command.$db": feed.database.handle.name}
    )
    return any(operation.get("writeConflicts") for operation in operations["inprog"])


async def test_a_released_lease_is_free_at_once(one: Feed, two: Feed) -> None:
    """A leader that is stopped in order does not make the others wait."""
    await one.lease.take()
    await one.lease.release()
    assert (await read_leadership(one.database)).leader is None
    assert await two.lease.take()


async def test_a_lease_that_is_not_renewed_runs_out(one: Feed, two: Feed) -> None:
    """A leader that was killed is followed by another within the lease's 3 s."""
    await one.lease.take()
    await eventually(two.lease.take, message="the lease runs out")
    assert await one.lease.renew(None) is None


async def test_a_stale_leader_changes_nothing(one: Feed, two: Feed) -> None:
    """Whoever lost the lease can neither release it nor move the checkpoint."""
    state = await two.lease.take()
    assert state is not None
    await one.lease.release()
    await one.lease.checkpoint({"_data": "ff"})
    await one.lease.begin_epoch((await read_leadership(one.database)).epoch)
    assert await two.lease.renew(None) == state
    assert (await read_leadership(one.database)).leader == "api-2"


async def test_a_successor_of_the_same_name_is_another_owner(one: Feed, database_url: str) -> None:
    """A replica that was restarted does not take over what its predecessor may still be doing."""
    await one.lease.take()
    async with Feed.open(database_url, "api-1") as restarted:
        assert await restarted.lease.take() is None


async def test_the_epoch_is_made_once(one: Feed, two: Feed) -> None:
    """Several replicas that start at the same time agree on the epoch and the first checkpoint."""
    await asyncio.gather(*(feed.prepare() for feed in (one, two) * 3))
    state = await one.lease.take()
    await one.prepare()
    assert await one.lease.renew(None) == state


async def test_a_renewal_that_comes_after_the_release_takes_nothing(one: Feed, two: Feed) -> None:
    """A call that was given up at the shutdown may still reach the server, and must not lock the others out."""
    await one.lease.take()
    await one.lease.release()
    assert await one.lease.renew(None) is None
    assert await two.lease.take()


async def test_a_lease_of_a_clock_that_was_ahead_is_free(one: Feed, two: Feed) -> None:
    """A primary whose clock went wrong does not keep everybody from leading for an hour."""
    await one.lease.take()
    await one.database.handle["feed"].update_one(
        {}, [{"$set": {"expires_at": {"$dateAdd": {"startDate": "$$NOW", "unit": "hour", "amount": 1}}}}]
    )
    assert await two.lease.take()


async def test_a_new_epoch_replaces_the_old_one_once(one: Feed) -> None:
    """The leader alone begins a new epoch, and only from the one that it knows."""
    state = await one.lease.take()
    assert state is not None
    await one.lease.renew(5)
    await one.lease.begin_epoch(state.epoch)
    begun = await one.lease.renew(None)
    assert begun is not None
    assert begun.epoch != state.epoch
    assert begun.relayed is None
    await one.lease.begin_epoch(state.epoch)
    assert await one.lease.renew(None) == begun
