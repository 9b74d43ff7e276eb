import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.events import EPOCH, closing, event, history, live
from tests.integration.emitter import Emitter
from tests.integration.listeners import Curl, Heard, connections, cut_off, emit, never_reading, post_large
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually, quick
from ws_service.engine.polling import HIGH_WATER_BYTES
from ws_service.ingest.subscriptions import CHUNK_BYTES

PATH = "/websocket-service/sse"
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: emitter\r\n\r\n"


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open_with(5)
        yield emitter


async def test_a_stream_begins_with_when_to_come_back_and_the_welcome(emitter: Emitter) -> None:
    """A browser is told to come back after a second; the welcome has the place where it begins."""
    async with Curl.listening(emitter) as curl:
        assert await curl.block() == ["retry: 1000"]
        welcome = {"node": "emitter-1", "position": f"{EPOCH}:5", "recovered": False, "replayed": 0}
        assert await curl.event() == Heard(
            f"{EPOCH}:5", "welcome", {"event": "welcome", "payload": welcome, "meta": {}}
        )


async def test_a_numbered_event_has_its_offset_as_id(emitter: Emitter) -> None:
    """An event is one JSON object, and what a browser sends as Last-Event-ID says the epoch, too."""
    async with Curl.listening(emitter) as curl:
        await curl.event()
        await emitter.post(live(6, 6))
        assert await curl.event() == Heard(
            f"{EPOCH}:6",
            "new_product",
            {
                "event": "new_product",
                "payload": {"n": 6},
                "meta": {"seq": 6, "id": "id-6", "time": "2026-01-01T00:00:00.000Z"},
                "offset": f"{EPOCH}:6",
            },
        )


async def test_curl_that_is_killed_and_started_again_misses_nothing(emitter: Emitter) -> None:
    """Under load, with the last id that was heard, each event is heard once and in order over any number of runs."""
    last = 1_500

    async def load() -> None:
        for seq in range(6, last + 1, 5):
            await emitter.post(live(seq, seq + 4))
            await asyncio.sleep(0)

    heard: list[int] = []
    place: str | None = f"{EPOCH}:5"
    loading = asyncio.create_task(load())
    while len(heard) < last - 5:
        async with Curl.listening(emitter, "", f"Last-Event-ID: {place}") as curl:
            assert (await curl.event()).data["payload"]["recovered"] is True
            for _ in range(min(200, last - 5 - len(heard))):
                place, _, data = await curl.event()
                heard.append(data["meta"]["seq"])
    await loading
    assert heard == list(range(6, last + 1))


async def test_a_long_replay_goes_over_into_what_is_live(emitter: Emitter) -> None:
    """What was missed comes part by part, what is committed meanwhile behind it: each event once, in order."""
    size, parts = 10_000, 4
    count = parts * CHUNK_BYTES // size
    for first in range(6, 6 + count, 20):
        await post_large(emitter, first, first + 19, size)
    missed = emitter.hub.history.last
    async with Curl.listening(emitter, f"after={EPOCH}:5") as curl:
        welcome = (await curl.event()).data["payload"]
        assert welcome["recovered"] is True
        assert welcome["replayed"] == missed - 5
        heard = await curl.seqs(1)
        await emitter.post(live(missed + 1, missed + 10))
        heard += await curl.seqs(missed - 5 + 9)
        await emitter.post(live(missed + 11, missed + 11))
        heard += await curl.seqs(1)
    assert heard == list(range(6, missed + 12))


async def test_topics_are_chosen_in_the_url(emitter: Emitter) -> None:
    """Only what belongs to one of the topics is heard, and once if it belongs to several."""
    async with Curl.listening(emitter, "topics=category:books,category:games") as curl:
        await curl.event()
        events = [event(6), event(7, "category:books", "category:games"), event(8, "category:games")]
        await emitter.post(live(6, 8).model_copy(update={"events": events}))
        assert await curl.seqs(2) == [7, 8]


@pytest.mark.parametrize("after", ["5", f"{EPOCH}:5"])
async def test_a_number_stands_for_the_epoch_that_is(emitter: Emitter, after: str) -> None:
    """`Last-Event-ID` and `after` may be an offset, or a bare number of the present epoch."""
    await emitter.post(live(6, 6))
    for query, headers in [(f"after={after}", ()), ("", (f"Last-Event-ID: {after}",))]:
        async with Curl.listening(emitter, query, *headers) as curl:
            assert (await curl.event()).data["payload"]["recovered"] is True
            assert await curl.seqs(1) == [6]


async def test_what_the_client_remembers_comes_before_the_url(emitter: Emitter) -> None:
    """A browser comes back with the URL of its beginning: its Last-Event-ID is the newer one."""
    await emitter.post(live(6, 8))
    async with Curl.listening(emitter, f"after={EPOCH}:5", f"Last-Event-ID: {EPOCH}:7") as curl:
        await curl.event()
        assert await curl.seqs(1) == [8]


async def test_an_empty_place_is_none(emitter: Emitter) -> None:
    """A program that has heard nothing yet may leave `after` and the header empty: it listens from now on."""
    async with Curl.listening(emitter, "after=", "Last-Event-ID;") as curl:
        assert (await curl.event()).data["payload"]["recovered"] is False
        await emitter.post(live(6, 6))
        assert await curl.seqs(1) == [6]


@pytest.mark.parametrize("place", ["other:5", f"{EPOCH}:0"])
async def test_what_cannot_be_recovered_is_said(place: str) -> None:
    """The welcome says it, for another epoch or a past that is gone, and what is new follows."""
    async with Emitter.running() as emitter:
        await emitter.open(history(3, 5), position=5)
        async with Curl.listening(emitter, "", f"Last-Event-ID: {place}") as curl:
            assert (await curl.event()).data["payload"]["recovered"] is False
            await emitter.post(live(6, 6))
            assert await curl.seqs(1) == [6]


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ("topics=", {}, "topics.0"),
        ("topics=products,nonsense", {}, "topics.1"),
        ("topics=" + "products," * 100 + "products", {}, "topics"),
        ("after=yesterday", {}, "after"),
        ("after=e1:1&topic=products", {}, "topic"),
        ("", {"Last-Event-ID": "yesterday"}, "Last-Event-ID"),
        ("after=e1:1", {"Last-Event-ID": "e1:" + "9" * 19}, "Last-Event-ID"),
    ],
)
async def test_a_bad_query_is_refused_before_any_stream(
    emitter: Emitter, query: str, headers: dict[str, str], field: str
) -> None:
    """A problem document names what is wrong with the request."""
    answer = await emitter.public.get(f"{PATH}?{query}", headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_token_leads_into_its_rooms() -> None:
    """What is for a user, or for a device, reaches its streams; a token that proves nothing is refused."""
    async with Emitter.running(jwt_secret=JWT_SECRET) as emitter:
        await emitter.open()
        async with Curl.listening(emitter, f"token={token('anna')}") as curl:
            await curl.event()
            await emit(emitter, "news", "not yours", ["user:ben"])
            await emit(emitter, "news", "yours", ["user:anna"])
            assert (await curl.event()).data["payload"] == "yours"
        refused = await emitter.public.get(f"{PATH}?token=none")
        assert refused.status_code == 401
        assert [error["field"] for error in refused.json()["errors"]] == ["token"]


async def test_the_topics_of_clients_can_be_heard() -> None:
    """What clients may publish on is a topic here, too."""
    async with Emitter.running(client_topics=("chat:*",)) as emitter:
        await emitter.open()
        async with Curl.listening(emitter, "topics=chat:lobby") as curl:
            await curl.event()
            await emit(emitter, "news", "hello", ["chat:lobby"])
            assert (await curl.event()).data["payload"] == "hello"


async def test_no_proxy_keeps_the_stream_back(emitter: Emitter) -> None:
    """The answer says that it is an event stream, not to be stored, and not to be buffered by nginx."""
    async with emitter.public.stream("GET", PATH) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"


async def test_pages_of_allowed_origins_may_listen() -> None:
    """The rules of origins are the sockets' own: a page of another origin hears nothing."""
    page = "https://shop.example"
    async with Emitter.running(allowed_origins=(page,)) as emitter:
        await emitter.open()
        async with emitter.public.stream("GET", PATH, headers={"Origin": page}) as answer:
            assert answer.headers["access-control-allow-origin"] == page
        refused = await emitter.public.get(PATH, headers={"Origin": "https://elsewhere.example"})
        assert refused.status_code == 403
        assert "STORECAST_ALLOWED_ORIGINS" in refused.json()["detail"]
        assert "access-control-allow-origin" not in refused.headers
        asked = {"Origin": page, "Access-Control-Request-Headers": "last-event-id"}
        preflight = await emitter.public.options(PATH, headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-headers"] == "last-event-id"
        wrong = await emitter.public.get(f"{PATH}?after=x", headers={"Origin": page})
        assert wrong.headers["access-control-allow-origin"] == page


async def test_messages_have_no_id(emitter: Emitter) -> None:
    """What has no number leaves the client's last id as it is, and its name is one line whatever it was."""
    async with Curl.listening(emitter) as curl:
        await curl.event()
        await emit(emitter, "news\r\nid: 7", ["hello"])
        assert await curl.event() == Heard(
            None, "news id: 7", {"event": "news\r\nid: 7", "payload": ["hello"], "meta": {}}
        )


@pytest.mark.parametrize("name", ["open", "error", "error\n"])
async def test_nobody_speaks_for_the_connection(emitter: Emitter, name: str) -> None:
    """A browser's EventSource says these itself: such a message comes under no name of its own."""
    async with Curl.listening(emitter) as curl:
        await curl.event()
        await emit(emitter, name, 1)
        [data] = await curl.block()
        assert json.loads(data.removeprefix("data: "))["event"] == name


async def test_a_quiet_stream_has_a_heartbeat() -> None:
    """A comment in each ping interval keeps proxies from cutting the connection."""
    async with Emitter.running(ping_interval_ms=50) as emitter:
        await emitter.open()
        async with Curl.listening(emitter) as curl:
            await curl.event()
            assert [await curl.block() for _ in range(3)] == [[":"]] * 3


async def test_who_comes_before_the_history_waits_for_it() -> None:
    """What was missed while the emitter was away can be given once the relay has handed it over."""
    async with Emitter.running() as emitter, Curl.listening(emitter, f"after={EPOCH}:3") as curl:
        assert await curl.block() == ["retry: 1000"]
        await emitter.open_with(5)
        assert (await curl.event()).data["payload"]["recovered"] is True
        assert await curl.seqs(2) == [4, 5]


async def test_who_goes_is_forgotten(emitter: Emitter) -> None:
    """A stream is counted as a connection as long as there is somebody at its other end."""
    before = connections()
    async with Curl.listening(emitter) as curl:
        await curl.event()
        assert connections() == before + 1
    await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="it is forgotten")
    assert connections() == before


async def test_who_goes_while_waiting_leaves_nothing() -> None:
    """A client may go before there is a history."""
    before = connections()
    async with Emitter.running() as emitter:
        async with Curl.listening(emitter) as curl:
            await curl.block()
        await emitter.open()
        async with Curl.listening(emitter) as curl:
            await curl.event()
            assert len(emitter.hub.subscriptions.everyone()) == 1
    assert connections() == before


def pending(emitter: Emitter) -> int:
    """Return the most that waits for any listener outside the history, in bytes."""
    outboxes: list[Any] = [each.listener._session for each in emitter.hub.subscriptions.everyone()]  # type: ignore[attr-defined]  # noqa: SLF001  # what it holds is tested
    return max(int(outbox._bytes) for outbox in outboxes)  # noqa: SLF001  # see above


async def test_who_does_not_read_grows_nothing(emitter: Emitter) -> None:
    """Numbered events wait in the history: of those no more than a part waits for a client that does not read."""
    async with never_reading(emitter, REQUEST), Curl.listening(emitter) as curl:
        await curl.event()
        for first in range(6, 806, 20):
            await post_large(emitter, first, first + 19, 10_000)
            assert await curl.seqs(20) == list(range(first, first + 20))
            assert pending(emitter) <= HIGH_WATER_BYTES + 2 * CHUNK_BYTES
        assert pending(emitter) > 0, "the other one does not read"


async def test_who_does_not_read_messages_is_cut_off(emitter: Emitter) -> None:
    """What has no number waits within a bound; beyond it the connection ends, and nobody else notices."""
    before = cut_off()
    async with never_reading(emitter, REQUEST), Curl.listening(emitter) as curl:
        await curl.event()
        for number in range(200):
            await emit(emitter, "news", [number, "x" * 100_000])
            assert (await curl.event()).data["payload"][0] == number
            if cut_off() > before:
                break
        assert cut_off() == before + 1
        await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 1, message="it is gone")


async def test_a_new_epoch_ends_the_streams(emitter: Emitter) -> None:
    """What follows cannot be given to those who heard the old epoch: they come back, and are told so."""
    async with Curl.listening(emitter) as curl:
        await curl.event()
        await emitter.post(history(1, 2, "e2"))
        await emitter.post(closing(2, "e2"))
        assert await curl.ended() == 0
    async with Curl.listening(emitter, "", f"Last-Event-ID: {EPOCH}:5") as curl:
        welcome = (await curl.event()).data["payload"]
        assert welcome["recovered"] is False
        assert welcome["position"] == "e2:2"


async def test_streams_end_at_once_when_the_server_ends(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody is waited for: neither who listens nor who does not read."""

    async def end() -> float:
        async with contextlib.AsyncExitStack() as stack:
            async with Emitter.running() as emitter:
                await emitter.open()
                await stack.enter_async_context(never_reading(emitter, REQUEST))
                curl = await stack.enter_async_context(Curl.listening(emitter))
                await curl.event()
                for first in range(1, 801, 20):
                    await post_large(emitter, first, first + 19, 10_000)
                await curl.seqs(800)
                assert pending(emitter) > 0, "the other one does not read"
                begun = asyncio.get_running_loop().time()
            took_s = asyncio.get_running_loop().time() - begun
            assert await curl.ended() == 0
        return took_s

    await quick(end, under_s=2, message="it ends")
    assert "Traceback" not in capfd.readouterr().err


async def test_who_waits_for_the_history_is_let_go_when_the_server_ends(capfd: pytest.CaptureFixture[str]) -> None:
    """An emitter that nobody has handed a history to ends at once, too."""

    async def end() -> float:
        async with contextlib.AsyncExitStack() as stack:
            async with Emitter.running() as emitter:
                curl = await stack.enter_async_context(Curl.listening(emitter))
                await curl.block()
                begun = asyncio.get_running_loop().time()
            took_s = asyncio.get_running_loop().time() - begun
            await curl.ended()
        return took_s

    await quick(end, under_s=2, message="it ends")
    assert "Traceback" not in capfd.readouterr().err
