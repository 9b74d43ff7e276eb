"""What an election takes back, on a real replica set of three members."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from pymongo import MongoClient

from api_service.database import open_database
from api_service.feed.event_log import Entry, LogEnd
from api_service.feed.lease import FeedState, read_leadership
from api_service.feed.sequencer import Sequencer
from api_service.relay.emitter_client import EmitterClient
from api_service.relay.relay import HistoryBounds, Relay
from shared.events import Position
from tests.integration.emitter import Emitter
from tests.integration.feed import Feed, product, settings
from tests.integration.replica_set import ReplicaSet
from tests.mongod import unused_database
from tests.waiting import eventually

MIB = 1024 * 1024
# Soon over: a primary that is stopped never answers.
TIMEOUT_MS = 3_000


@pytest.fixture(scope="module")
async def replica_set(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReplicaSet]:
    async with ReplicaSet.running(tmp_path_factory.mktemp("replica-set")) as replica_set:
        yield replica_set


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


@asynccontextmanager
async def feed_of(url: str, instance: str, timeout_ms: int = TIMEOUT_MS) -> AsyncIterator[Feed]:
    async with open_database(settings(url, database_timeout_ms=timeout_ms)) as database:
        feed = Feed(database, instance)
        await feed.prepare()
        yield feed


@asynccontextmanager
async def running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def relay_of(feed: Feed, emitter: Emitter) -> AsyncIterator[Relay]:
    async def confirm_epoch() -> str:
        return (await read_leadership(feed.database)).epoch

    chosen = settings("mongodb://none", emitter_url=f"http://{emitter.address}")
    async with EmitterClient.connect(chosen) as client:
        yield Relay(
            feed.log, client, FeedState(await confirm_epoch(), {}, None), confirm_epoch, HistoryBounds(1000, MIB)
        )


class Gate:
    """Holds the log's next append back until it is opened."""

    def __init__(self, feed: Feed) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self._append = feed.log.append
        feed.log.append = self._wait_and_append  # type: ignore[method-assign]  # the moment before the append has to be hit

    async def _wait_and_append(self, entries: Sequence[Entry]) -> None:
        self.reached.set()
        await self.open.wait()
        await self._append(entries)


class FailOver:
    """A primary that goes without having told the others its last writes."""

    def __init__(self, replica_set: ReplicaSet, old: str, how: signal.Signals) -> None:
        self._set = replica_set
        self._old = old
        self._how = how

    async def happen(self) -> None:
        """Have the primary go and another one be elected."""
        self._set[self._old].send(self._how)
        if self._how == signal.SIGKILL:
            await self._set[self._old].ended()
        others = self._set.others(self._old)
        for name in others:
            await self._set.hold_back(name, on=False)
        await self._set.elect(others[0])

    async def be_over(self, lost: list[dict[str, Any]]) -> None:
        """Have the old primary come back and take back what the others never had: these documents among it."""
        if self._how == signal.SIGKILL:
            self._set[self._old].start()
        else:
            self._set[self._old].send(signal.SIGCONT)

        def rolled_back() -> bool:
            found = self._set.rolled_back(self._old)
            return all(document in found for document in lost)

        await eventually(rolled_back, message=f"{self._old} rolls back", timeout_s=30)
        await self._set.whole()


def fail_over_after_the_end_was_read(feed: Feed, fail_over: FailOver) -> None:
    """Have the primary go between the successor's first look at the log's end and all that it does then."""
    end = feed.log.end
    looked = False

    async def end_and_fail_over() -> LogEnd:
        nonlocal looked
        found = await end()
        if not looked:
            looked = True
            await fail_over.happen()
        return found

    feed.log.end = end_and_fail_over  # type: ignore[method-assign]  # this very moment has to be hit


async def nothing() -> None:
    """Stand in for the schema's preparation: on this primary its writes would never be acknowledged."""


def insert_on_the_primary_alone(url: str, document: dict[str, Any]) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(url, w=1, journal=True)
    with client:
        client.get_default_database()["products"].insert_one(document)


@pytest.mark.parametrize("survives", [True, False], ids=["leader", "successor"])
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
async def test_an_append_that_is_rolled_back_leaves_no_trace(
    replica_set: ReplicaSet, emitter: Emitter, how: signal.Signals, *, survives: bool
) -> None:
    """An entry that only the old primary had is sent to nobody; its change gets the same number and content again.

    Either by the leader, whose append has no answer; or by a successor that looks at the log's end while the entry
    still stands there, right before the primary goes.
    """
    database = unused_database()
    # A leader that dies does not try again.
    url = replica_set.url(database) + ("" if survives else "&retryWrites=false")
    old = await replica_set.primary()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(feed_of(url, "api-1"))
        second = await stack.enter_async_context(feed_of(url, "api-2"))
        relay = await stack.enter_async_context(relay_of(first, emitter))
        other_relay = await stack.enter_async_context(relay_of(second, emitter))
        leading = await stack.enter_async_context(AsyncExitStack())
        await leading.enter_async_context(first.sequencing())
        await stack.enter_async_context(running(relay.run(first.sequencer.appended)))
        await eventually(lambda: emitter.hub.position, message="the emitter has a position")
        client = await stack.enter_async_context(emitter.client())
        await client.welcome()

        await first.products.insert_one(product("before"))
        heard = [await client.event()]
        state = await first.lease.renew(None)
        assert state is not None

        gate = Gate(first)
        await first.products.insert_one(product("in flight"))
        await gate.reached.wait()
        for name in replica_set.others(old):
            await replica_set.hold_back(name, on=True)
        gate.open.set()

        async def stored() -> dict[str, Any] | None:
            return await replica_set.find(old, database, "events", 2)

        uncommitted = await eventually(stored, message="the primary alone has the entry")
        never = product("never committed")
        await asyncio.to_thread(insert_on_the_primary_alone, url, never)
        assert (await second.log.end()).seq == 1
        assert await other_relay.deliver_batch() == 0
        assert emitter.hub.position == Position(state.epoch, 1)

        fail_over = FailOver(replica_set, old, how)
        if survives:
            await fail_over.happen()
        else:
            await leading.aclose()
            fail_over_after_the_end_was_read(second, fail_over)
            successor = Sequencer(second.database, second.lease, second.log, nothing)
            await stack.enter_async_context(running(successor.run(state.checkpoint)))
        heard.append(await client.event())
        await fail_over.be_over([uncommitted, never])

        for name in ("after", "and on"):
            await first.products.insert_one(product(name))
            heard.append(await client.event())
        committed = await first.database.handle["events"].find().sort("_id", 1).to_list(None)

    assert [(event[2]["seq"], event[1]["name"]) for event in heard] == [
        (1, "before"),
        (2, "in flight"),
        (3, "after"),
        (4, "and on"),
    ]
    assert [entry["_id"] for entry in committed] == [1, 2, 3, 4]
    assert committed[1] == uncommitted


async def test_an_append_that_was_stored_without_an_answer_is_not_repeated(
    replica_set: ReplicaSet, capfd: pytest.CaptureFixture[str]
) -> None:
    """The leader gives up an append that was stored, and that is committed later: the entry is there once."""
    database = unused_database()
    url = replica_set.url(database)
    others = replica_set.others(await replica_set.primary())
    async with feed_of(url, "api-1", timeout_ms=1_000) as feed, feed.sequencing():
        gate = Gate(feed)
        await feed.products.insert_one(product("in flight"))
        await gate.reached.wait()
        for name in others:
            await replica_set.hold_back(name, on=True)
        gate.open.set()
        try:
            await eventually(
                lambda: "resumes from the end of the log" in capfd.readouterr().out, message="the append is given up"
            )
        finally:
            for name in others:
                await replica_set.hold_back(name, on=False)

        async def replicated() -> bool:
            return all([await replica_set.find(name, database, "events", 1) for name in others])

        await eventually(replicated, message="the others have the entry, too", timeout_s=30)
        await feed.products.insert_one(product("after"))
        events = await feed.events(2)
    assert [(event.seq, event.payload["name"]) for event in events] == [(1, "in flight"), (2, "after")]  # type: ignore[index,call-overload]  # products


async def test_a_secondary_that_is_stopped_is_not_waited_for(replica_set: ReplicaSet) -> None:
    """Two of three members are a majority: what is committed without the third is told, and stays."""
    url = replica_set.url(unused_database())
    secondary = replica_set.others(await replica_set.primary())[0]
    async with feed_of(url, "api-1") as feed, feed.sequencing():
        replica_set[secondary].send(signal.SIGSTOP)
        try:
            await feed.products.insert_many([product(str(number)) for number in range(50)])
            events = await feed.events(50)
        finally:
            replica_set[secondary].send(signal.SIGCONT)
        await replica_set.whole()
        await feed.products.insert_one(product("50"))
        events = await feed.events(51)
    assert [(event.seq, event.payload["name"]) for event in events] == [(n + 1, str(n)) for n in range(51)]  # type: ignore[index,call-overload]  # products
