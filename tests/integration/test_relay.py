import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from api_service import metrics
from api_service.feed.event_log import Entry
from api_service.feed.lease import FeedState
from api_service.relay.backlog import Backlog, measure_backlog
from api_service.relay.emitter_client import BatchRefused, EmitterClient, EmitterUnavailable
from api_service.relay.relay import HistoryBounds, LogBehind, Relay
from shared.emitter_api import MAX_BATCH_EVENTS, Batch, EmitterPosition
from shared.events import Event, Position
from shared.serving.http.errors import Invalid
from tests.events import EPOCH, closing, history, live
from tests.integration.emitter import Emitter
from tests.integration.feed import Feed, settings
from tests.waiting import eventually
from ws_service import calls

MIB = 1024 * 1024


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url) as feed:
        yield feed


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


@pytest.fixture
async def client(emitter: Emitter) -> AsyncIterator[EmitterClient]:
    url = f"http://{emitter.address}"
    async with EmitterClient.connect(settings("mongodb://none", emitter_url=url)) as client:
        yield client


@pytest.fixture
def relay(feed: Feed, client: EmitterClient) -> Relay:
    return relay_of(feed, client)


def relay_of(feed: Feed, client: EmitterClient, *, events: int = 1000, max_bytes: int = MIB, now: str = EPOCH) -> Relay:
    """Return a relay with these bounds of the history; `now` is the epoch that is in force."""

    async def confirm_epoch() -> str:
        return now

    return Relay(feed.log, client, FeedState(EPOCH, {}, None), confirm_epoch, HistoryBounds(events, max_bytes))


async def log(feed: Feed, first: int, last: int, payload: Any = None) -> None:
    """Append numbered events, as the sequencer does."""
    now = datetime.now(UTC)
    await feed.log.append(
        [
            Entry(seq, f"id-{seq}", "new_product", payload or {"n": seq}, ["products"], now, {"_data": "00"})
            for seq in range(first, last + 1)
        ]
    )


async def deliver_all(relay: Relay) -> None:
    while await relay.deliver_batch():
        pass


def kept(emitter: Emitter) -> list[int]:
    return [event.seq for event in emitter.hub.history.read(0, {"products"}, 10**9).events]


async def test_an_emitter_without_memory_is_handed_the_history(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """An emitter that has just started gets the recent past and its position, and from there on what is live."""
    await log(feed, 1, 7)
    await deliver_all(relay)
    assert emitter.hub.position == Position(EPOCH, 7)
    await log(feed, 8, 9)
    assert await relay.deliver_batch() == 2
    assert kept(emitter) == list(range(1, 10))


async def test_an_empty_log_opens_the_emitter(emitter: Emitter, relay: Relay) -> None:
    """A new catalogue is ready for sockets before its first product."""
    await deliver_all(relay)
    assert emitter.hub.position == Position(EPOCH, 0)


async def test_the_history_is_bounded(feed: Feed, emitter: Emitter, client: EmitterClient) -> None:
    """Only the newest part of a long log is handed over."""
    await log(feed, 1, 30)
    await deliver_all(relay_of(feed, client, events=10))
    assert kept(emitter) == list(range(21, 31))


async def test_the_history_is_bounded_by_bytes_too(feed: Feed, emitter: Emitter, client: EmitterClient) -> None:
    """Large events do not make the hand-over longer than what the emitter would keep."""
    await log(feed, 1, 12, {"x": "y" * 100_000})
    await deliver_all(relay_of(feed, client, max_bytes=MIB))
    assert kept(emitter) == list(range(3, 13))


@pytest.mark.parametrize("removed", [(1, 900), (1, 1000), (100, 200)], ids=["front", "all", "hole"])
async def test_a_log_that_is_trimmed_during_the_handover(
    feed: Feed, emitter: Emitter, relay: Relay, removed: tuple[int, int]
) -> None:
    """The hand-over is begun anew; a hole never reaches the emitter, and the relay goes on."""
    await log(feed, 1, 1000)
    read = feed.log.read

    async def trimmed_meanwhile(after: int, limit: int, max_bytes: int) -> list[Event]:
        first, last = removed
        await feed.database.handle["events"].delete_many({"_id": {"$gte": first, "$lte": last}})
        return await read(after, limit, max_bytes)

    feed.log.read = trimmed_meanwhile  # type: ignore[method-assign,assignment]  # the moment between two calls has to be hit
    with pytest.raises(EmitterUnavailable, match="trimmed"):
        await relay.deliver_batch()
    assert emitter.hub.position is None


async def test_a_leader_of_an_old_epoch_hands_nothing_over(feed: Feed, emitter: Emitter, client: EmitterClient) -> None:
    """An emitter that has the new epoch keeps its sockets, though a leader of the old one is still there."""
    await emitter.post(closing(7, epoch="new"))
    await log(feed, 1, 3)
    with pytest.raises(EmitterUnavailable, match="the epoch has changed"):
        await relay_of(feed, client, now="new").deliver_batch()
    assert emitter.hub.position == Position("new", 7)


async def test_an_emitter_that_is_ahead_of_the_log_ends_the_term(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """A log that was dropped or restored under its old epoch would give numbers twice: that is never waited out."""
    await log(feed, 1, 3)
    await emitter.open_with(5)
    with pytest.raises(LogBehind, match="ends at 3, and the emitter has taken 5"):
        await relay.run(asyncio.Event())


async def test_much_is_delivered_in_batches(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """No post has more than 500 events or 1 MiB, and none is left out between them."""
    await deliver_all(relay)
    await log(feed, 1, 1200)
    assert [await relay.deliver_batch() for _ in range(4)] == [MAX_BATCH_EVENTS, MAX_BATCH_EVENTS, 200, 0]
    await log(feed, 1201, 1205, {"x": "y" * 400_000})
    assert [await relay.deliver_batch() for _ in range(4)] == [2, 2, 1, 0]
    assert emitter.hub.position == Position(EPOCH, 1205)


async def test_a_long_history_is_handed_over_in_batches(feed: Feed, emitter: Emitter, client: EmitterClient) -> None:
    """The hand-over, too, stays within what the emitter takes."""
    await log(feed, 1, 1200)
    await deliver_all(relay_of(feed, client, events=1100))
    assert kept(emitter) == list(range(101, 1201))


async def test_an_emitter_that_is_behind_gets_what_it_lacks(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """A new relay goes on from the emitter's own position, whatever the relay before it had done."""
    await emitter.open_with(3)
    await log(feed, 1, 6)
    await deliver_all(relay)
    assert kept(emitter) == [1, 2, 3, 4, 5, 6]


async def test_a_gap_is_answered_by_going_back(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """A position that the relay only thought to know is corrected by the 409."""
    await log(feed, 1, 6)
    await emitter.open_with(3)
    relay._answer = EmitterPosition(epoch=EPOCH, position=5)  # noqa: SLF001  # as if another emitter had answered
    await deliver_all(relay)
    assert kept(emitter) == [1, 2, 3, 4, 5, 6]


async def test_what_an_emitter_without_memory_refuses_is_not_told_as_relayed(
    feed: Feed, emitter: Emitter, relay: Relay
) -> None:
    """A product's journey says that it was taken once it was: by the hand-over that comes next."""
    await log(feed, 1, 3)
    await deliver_all(relay)
    emitter.hub.forget("none")  # what a restart does to it
    await log(feed, 4, 5)
    before = relayed()
    assert await relay.deliver_batch()
    assert relayed() == before
    await deliver_all(relay)
    assert emitter.hub.position == Position(EPOCH, 5)


def relayed() -> float:
    return float(metrics.events_relayed._value.get())  # noqa: SLF001  # the library shows it by text alone


async def test_another_epoch_is_no_memory(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """An emitter of a database that was wiped or restored never looks up to date."""
    await emitter.post(history(1, 9, epoch="old"))
    await emitter.post(closing(9, epoch="old"))
    await log(feed, 1, 4)
    await deliver_all(relay)
    assert emitter.hub.position == Position(EPOCH, 4)


async def test_an_emitter_that_takes_nothing_is_an_error(
    feed: Feed, relay: Relay, emitter: Emitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay backs off instead of posting the same for ever."""
    await deliver_all(relay)
    await log(feed, 1, 1)
    monkeypatch.setattr(emitter.hub, "take", lambda _: False)  # as a version that disagrees would
    with pytest.raises(EmitterUnavailable, match="stays at 0"):
        await relay.deliver_batch()


async def test_a_handover_that_is_not_taken_is_an_error(
    relay: Relay, emitter: Emitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay backs off instead of handing over for ever."""
    monkeypatch.setattr(emitter.hub, "take", lambda _: False)  # as a version that disagrees would
    with pytest.raises(EmitterUnavailable, match="hand-over"):
        await relay.deliver_batch()


async def test_a_handover_ends_where_another_relay_closed_it(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """Of two relays that hand over at the same time, the slower one goes on from where the faster one came to."""
    await log(feed, 1, 1000)
    post = relay._emitter.post  # noqa: SLF001  # the other relay acts between two of our posts

    async def post_after_the_other(batch: Batch) -> EmitterPosition:
        if not emitter.hub.position:
            await emitter.open(history(1, 600), position=600)
        return await post(batch)

    relay._emitter.post = post_after_the_other  # type: ignore[method-assign]  # noqa: SLF001  # see above
    await deliver_all(relay)
    assert emitter.hub.position == Position(EPOCH, 1000)


async def test_it_runs_on_through_failures(feed: Feed, relay: Relay, emitter: Emitter) -> None:
    """What could not be delivered is tried again, and nothing is lost or doubled by it."""
    fail = True
    take = emitter.hub.take

    def fail_every_other_time(batch: Batch) -> bool:
        nonlocal fail
        fail = not fail
        taken = take(batch)
        if fail:
            raise RuntimeError("the answer is lost, though the batch was taken")
        return taken

    emitter.hub.take = fail_every_other_time  # type: ignore[method-assign]  # an answer cannot be lost on demand
    appended = asyncio.Event()
    running = asyncio.create_task(relay.run(appended))
    for seq in range(1, 20):
        await log(feed, seq, seq)
        appended.set()
    await eventually(lambda: emitter.hub.history.last == 19, message="all is delivered")
    running.cancel()
    assert kept(emitter) == list(range(1, 20))


async def test_a_restart_on_a_quiet_catalogue_is_noticed(feed: Feed, relay: Relay, emitter: Emitter) -> None:
    """The position is asked for every second, so that an emitter that lost its memory is not empty for long."""
    await log(feed, 1, 3)
    running = asyncio.create_task(relay.run(asyncio.Event()))
    await eventually(lambda: emitter.hub.position is not None, message="the first hand-over")
    emitter.hub.forget("none")  # what a restart does to it
    await eventually(lambda: emitter.hub.position == Position(EPOCH, 3), message="the hand-over after the restart")
    running.cancel()


async def test_a_wrong_secret_is_said(emitter: Emitter) -> None:
    """An operator who gave the two services different secrets finds it in the log."""
    wrong = settings("mongodb://none", emitter_url=f"http://{emitter.address}", emitter_secret="x" * 16)
    async with EmitterClient.connect(wrong) as client:
        with pytest.raises(EmitterUnavailable, match=r"401.*STORECAST_EMITTER_SECRET"):
            await client.position()


async def test_nobody_there_is_unavailable() -> None:
    """An emitter that is down is nothing but a reason to try again."""
    async with EmitterClient.connect(settings("mongodb://none", emitter_url="http://127.0.0.1:9")) as client:
        with pytest.raises(EmitterUnavailable, match="GET /events/position"):
            await client.position()


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_would_be_refused_again_is_told_apart(status: int) -> None:
    """Some answers say that these very events cannot be taken; all others are worth another try."""
    client = answering(httpx.Response(status, text="why"))
    with pytest.raises(BatchRefused, match=f"{status} why"):
        await client.post(live(1, 1))


@pytest.mark.parametrize(
    "response", [httpx.Response(503), httpx.Response(200, text="<html>"), httpx.Response(302), httpx.Response(404)]
)
async def test_any_other_answer_is_worth_another_try(response: httpx.Response) -> None:
    """A proxy's error page, a redirect, another service on the port: never taken for a position."""
    with pytest.raises(EmitterUnavailable):
        await answering(response).position()


def answering(response: httpx.Response) -> EmitterClient:
    """Return a client of a server that gives one answer: no real one gives these on demand."""
    transport = httpx.MockTransport(lambda _: response)
    return EmitterClient(httpx.AsyncClient(transport=transport, base_url="http://emitter"))


@pytest.mark.parametrize(
    "error", [each for each in vars(httpx).values() if isinstance(each, type) and issubclass(each, httpx.HTTPError)]
)
async def test_every_error_of_httpx_becomes_ours(error: type[httpx.HTTPError]) -> None:
    """None of the client library's errors is forgotten at the edge."""

    def fail(request: httpx.Request) -> httpx.Response:
        if error is httpx.HTTPStatusError:
            raise error("x", request=request, response=httpx.Response(500))
        raise error("x")

    http = httpx.AsyncClient(transport=httpx.MockTransport(fail), base_url="http://emitter")
    with pytest.raises(EmitterUnavailable):
        await EmitterClient(http).position()


def refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have the emitter find events malformed whose id is among `names`; all of them without names."""
    parse = calls.parse

    def parse_but_refuse(model: Any, body: bytes) -> Any:
        batch = parse(model, body)
        if any(not names or event.id in names for event in batch.events if event.event is not None):
            raise Invalid("cannot be taken")
        return batch

    monkeypatch.setattr("ws_service.ingest.endpoints.parse", parse_but_refuse)


async def run_until(relay: Relay, emitter: Emitter, position: int) -> None:
    running = asyncio.create_task(relay.run(asyncio.Event()))
    try:
        await eventually(lambda: emitter.hub.position == Position(EPOCH, position), message=f"at {position}")
    finally:
        running.cancel()


async def test_an_event_that_cannot_be_taken_is_parked(
    feed: Feed, emitter: Emitter, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event that the emitter refuses does not stop the line: its number is taken, its reason is kept."""
    await deliver_all(relay)
    await log(feed, 1, 40)
    refuse(monkeypatch, "id-17", "id-30")
    await run_until(relay, emitter, 40)
    assert kept(emitter) == [seq for seq in range(1, 41) if seq not in {17, 30}]
    parked = await feed.database.handle["events"].find({"parked": {"$exists": True}}).to_list(None)
    assert [document["_id"] for document in parked] == [17, 30]
    assert "cannot be taken" in parked[0]["parked"]


async def test_a_single_refused_event_is_judged_beside_those_before_it(
    feed: Feed, emitter: Emitter, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that comes alone can be parked as well, because others were taken before it."""
    await log(feed, 1, 5)
    await deliver_all(relay)
    await log(feed, 6, 6)
    refuse(monkeypatch, "id-6")
    await run_until(relay, emitter, 6)
    assert kept(emitter) == [1, 2, 3, 4, 5]


async def test_two_versions_that_disagree_park_nothing(
    feed: Feed, emitter: Emitter, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emitter that refuses most events is at fault itself: the line waits, alarms, and goes on when it is mended."""
    await log(feed, 1, 5)
    await deliver_all(relay)
    await log(feed, 6, 20)
    with monkeypatch.context() as broken:
        refuse(broken)
        for _ in range(3):
            with pytest.raises(BatchRefused):
                await relay.deliver_batch()
        assert metrics.line_blocked._value.get() == 1  # noqa: SLF001  # the library has no reader
    await deliver_all(relay)
    assert metrics.line_blocked._value.get() == 0  # noqa: SLF001  # the library has no reader
    assert kept(emitter) == list(range(1, 21))


@pytest.mark.parametrize(
    ("taken", "refused"),
    [(5, range(506)), (10, range(11, 506)), (0, range(506))],
    ids=["everything", "what is new", "nothing before"],
)
async def test_versions_that_disagree_are_seen_by_a_few_questions(
    feed: Feed, relay: Relay, monkeypatch: pytest.MonkeyPatch, taken: int, refused: range
) -> None:
    """The line waits without asking about each of five hundred events at every try."""
    if taken:
        await log(feed, 1, taken)
        await deliver_all(relay)
    await log(feed, taken + 1, 505)
    refuse(monkeypatch, *[f"id-{seq}" for seq in refused])
    asked = 0
    post = relay._emitter.post  # noqa: SLF001  # its calls are counted

    async def counted(batch: Batch) -> EmitterPosition:
        nonlocal asked
        asked += 1
        return await post(batch)

    relay._emitter.post = counted  # type: ignore[method-assign]  # noqa: SLF001  # see above
    with pytest.raises(BatchRefused):
        await relay.deliver_batch()
    assert asked < 70
    assert await feed.database.handle["events"].count_documents({"parked": {"$exists": True}}) == 0


async def test_the_first_event_of_all_waits_when_it_is_refused(
    feed: Feed, emitter: Emitter, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to hold it against, it may be the emitter that is at fault: it is not parked."""
    await deliver_all(relay)
    await log(feed, 1, 1)
    with monkeypatch.context() as broken:
        refuse(broken)
        with pytest.raises(BatchRefused):
            await relay.deliver_batch()
    await deliver_all(relay)
    assert kept(emitter) == [1]


async def test_a_parked_event_is_parked_in_a_handover_too(
    feed: Feed, emitter: Emitter, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of the history that cannot be taken does not keep an emitter from starting."""
    await log(feed, 1, 20)
    refuse(monkeypatch, "id-3")
    await run_until(relay, emitter, 20)
    assert kept(emitter) == [1, 2, *range(4, 21)]


async def test_an_emitter_that_the_log_has_left_behind_begins_anew(feed: Feed, emitter: Emitter, relay: Relay) -> None:
    """Where retention has overtaken an emitter its sockets are closed and told so, and it goes on."""
    await log(feed, 1, 10)
    await deliver_all(relay)
    await log(feed, 11, 30)
    await feed.log.remove(20, 1000)
    async with emitter.client() as client:
        pid = (await client.connected())["pid"]
        await deliver_all(relay)
        await client.closed()
    assert emitter.hub.position == Position(EPOCH, 30)
    async with emitter.client({"pid": pid}) as client:
        assert (await client.welcome())["recovered"] is False


async def test_what_is_undelivered_can_be_seen(feed: Feed) -> None:
    """How many committed changes the emitter lacks, and since when, is measured from the log."""
    assert await measure_backlog(feed.log, relayed=0, end=0) == Backlog(0, 0.0)
    await log(feed, 1, 10)
    events, age_s = await measure_backlog(feed.log, relayed=4, end=10)
    assert events == 6
    assert 0 <= age_s < 60
    assert await measure_backlog(feed.log, relayed=12, end=10) == Backlog(0, 0.0)
