import asyncio
from collections.abc import AsyncIterator

import pytest

from api_service import leader as leader_module
from api_service.feed.sequencer import Sequencer
from api_service.leader import Leader
from api_service.relay.emitter_client import EmitterClient
from tests.integration.candidate import candidate, leads
from tests.integration.emitter import Emitter
from tests.integration.feed import Feed, product, settings
from tests.waiting import eventually


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url, "watcher") as feed:
        yield feed


async def test_a_product_goes_all_the_way(feed: Feed, emitter: Emitter, database_url: str) -> None:
    """From the commit in MongoDB to a socket: numbered, relayed, heard."""
    async with candidate(database_url, "api-1", emitter.address):
        await eventually(lambda: emitter.hub.position, message="the emitter has a position")
        async with emitter.client() as client:
            await client.welcome()
            await feed.products.insert_one(product("Moka"))
            event = await client.event()
    assert event[:2] == ["new_product", {**event[1], "name": "Moka"}]
    assert event[2]["seq"] == 1


async def test_another_takes_over_when_the_leader_stops(feed: Feed, emitter: Emitter, database_url: str) -> None:
    """A leader that stops in order lets the next one go on at once, and every product is heard once."""
    async with candidate(database_url, "api-1", emitter.address):
        await leads(feed, "api-1")
        await eventually(lambda: emitter.hub.position, message="the emitter has a position")
        async with emitter.client() as client:
            await client.welcome()
            await feed.products.insert_many([product(str(number)) for number in range(3)])
            assert await client.seqs(3) == [1, 2, 3]
    async with candidate(database_url, "api-2", emitter.address), emitter.client() as client:
        await client.welcome()
        await feed.products.insert_many([product(str(number)) for number in range(3)])
        assert await client.seqs(3) == [4, 5, 6]
        await leads(feed, "api-2")


async def test_a_leader_that_lost_the_lease_stops(
    feed: Feed, emitter: Emitter, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever is not the owner any more notices within its next renewal."""
    async with candidate(database_url, "api-1", emitter.address):
        await leads(feed, "api-1")
        feeds = feed.database.handle["feed"]
        await feeds.update_one({}, [{"$set": {"owner": "thief", "instance": "thief", "expires_at": _in_a_while()}}])
        await eventually(lambda: "not leading any more" in capfd.readouterr().out, message="the leader stops")
        given_back = await feeds.update_one({"owner": "thief"}, [{"$set": {"expires_at": "$$NOW"}}])
        assert given_back.matched_count == 1, "the leader has left it to the thief"
        await leads(feed, "api-1")


def _in_a_while() -> dict[str, object]:
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": 10}}


async def test_a_leader_whose_reader_hangs_steps_down(
    feed: Feed, emitter: Emitter, database_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The lease is renewed only while the change stream answers: a leader that hangs does not keep others out."""
    monkeypatch.setattr(Sequencer, "hangs", True)
    async with candidate(database_url, "api-1", emitter.address):
        await leads(feed, "api-1")
        await eventually(
            lambda: "the change stream does not answer" in capfd.readouterr().out, message="the leader steps down"
        )


async def test_a_new_epoch_ends_the_term(feed: Feed, emitter: Emitter, database_url: str) -> None:
    """After a restore the leader starts its next term in the new epoch, and so does the emitter."""
    async with candidate(database_url, "api-1", emitter.address):
        await eventually(lambda: emitter.hub.position, message="the emitter has a position")
        await feed.database.handle["feed"].update_one({}, {"$set": {"epoch": "restored"}})
        await eventually(
            lambda: emitter.hub.position and emitter.hub.position.epoch == "restored",
            message="the emitter is of the new epoch",
        )


async def test_a_wiped_database_is_made_again(feed: Feed, emitter: Emitter, database_url: str) -> None:
    """Whoever drops the database under a running system gets an empty one that works, in a new epoch."""
    async with candidate(database_url, "api-1", emitter.address):
        await eventually(lambda: emitter.hub.position, message="the emitter has a position")
        before = emitter.hub.position
        assert before is not None
        await feed.database.client.drop_database(feed.database.handle.name)
        await eventually(
            lambda: emitter.hub.position and emitter.hub.position.epoch != before.epoch,
            message="the emitter is of the new epoch",
        )
        async with emitter.client() as client:
            await client.welcome()
            await feed.products.insert_one(product("first"))
            assert (await client.event())[1]["name"] == "first"


async def test_a_fault_of_ours_is_seen_and_the_campaign_goes_on(
    feed: Feed, emitter: Emitter, database_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A task that dies by a bug is in the log and ends the term, so that somebody leads again."""
    monkeypatch.setattr("api_service.feed.sequencer.number", lambda *_: 1 / 0)
    async with candidate(database_url, "api-1", emitter.address):
        await eventually(
            lambda: "a term of leadership failed" in capfd.readouterr().out, message="the fault is in the log"
        )
        monkeypatch.undo()
        await eventually(lambda: emitter.hub.position, message="the next term works")
        async with emitter.client() as client:
            await client.welcome()
            await feed.products.insert_one(product())
            assert await client.seqs(1) == [1]


async def test_a_stop_that_meets_a_lost_lease_is_not_swallowed(
    emitter: Emitter, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shutdown never waits for ever, not even where the term ends by itself in the same moment."""
    failing = asyncio.Event()

    async def fail_when_told(*_: object) -> None:
        await failing.wait()
        raise leader_module.LeaseLost("in the same moment")

    monkeypatch.setattr(Leader, "_keep_lease", fail_when_told)
    address = f"http://{emitter.address}"
    async with (
        Feed.open(database_url, "api-1") as feed,
        EmitterClient.connect(settings(database_url, emitter_url=address)) as client,
    ):
        leader = Leader(feed.database, feed.lease, client, feed.prepare, settings(database_url))
        running = asyncio.create_task(leader.run())
        await leads(feed, "api-1")
        failing.set()
        await asyncio.sleep(0)  # the failure is raised, and its group begins to end
        await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait({running}, timeout=30)
    assert done
    assert running.cancelled()


async def test_a_log_that_ends_before_the_emitter_begins_a_new_epoch(
    feed: Feed, emitter: Emitter, database_url: str
) -> None:
    """A log that was dropped or restored under a running system is never taken for up to date."""
    async with candidate(database_url, "api-1", emitter.address):
        await eventually(lambda: emitter.hub.position, message="the emitter has a position")
        async with emitter.client() as client:
            pid = (await client.connected())["pid"]
            await client.event()
            await feed.products.insert_many([product(str(number)) for number in range(5)])
            assert await client.seqs(5) == [1, 2, 3, 4, 5]
            before = emitter.hub.position
            assert before is not None
            await feed.database.handle["events"].delete_many({"_id": {"$gt": 2}})
            await client.closed()
        await eventually(
            lambda: emitter.hub.position and emitter.hub.position.epoch != before.epoch,
            message="the emitter is of a new epoch",
        )
        async with emitter.client({"pid": pid, "offset": f"{before.epoch}:5"}) as client:
            assert (await client.welcome())["recovered"] is False
