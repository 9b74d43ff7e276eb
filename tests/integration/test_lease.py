import asyncio
from collections.abc import AsyncIterator

import pytest

from api_service.feed.lease import read_leadership
from tests.integration.feed import Feed
from tests.waiting import eventually


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
    taken = await asyncio.gather(*(feed.lease.take() for feed in (one, two) * 5))
    holders = {feed for feed, state in zip((one, two) * 5, taken, strict=True) if state}
    assert len(holders) == 1


async def test_a_released_lease_is_free_at_once(one: Feed, two: Feed) -> None:
    """A leader that is stopped in order does not make the others wait."""
    await one.lease.take()
    await one.lease.release()
    assert (await read_leadership(one.database)).leader is None
    assert await two.lease.take()


async def test_a_lease_that_is_not_renewed_runs_out(one: Feed, two: Feed) -> None:
    """A leader that was killed is followed by another within the lease's 3 s."""
    await one.lease.take()
    await eventually(two.lease.take, timeout_s=5, message="the lease runs out")
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
