import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response

from tests.events import EPOCH, closing, event, history, live
from tests.integration.emitter import Emitter
from tests.integration.listeners import connections, cut_off, emit, never_reading, post_large
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually, quick
from ws_service.engine.polling import HIGH_WATER_BYTES
from ws_service.ingest.subscriptions import CHUNK_BYTES

REQUEST = (
    "GET /websocket-service/raw HTTP/1.1\r\nHost: emitter\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open_with(5)
        yield emitter


@contextlib.asynccontextmanager
async def listening(emitter: Emitter, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    url = f"ws://{emitter.address}/websocket-service/raw{query}"
    async with connect(url, proxy=None, **options) as websocket:
        yield websocket


async def heard(websocket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(30):
        return dict(json.loads(await websocket.recv()))


async def seqs(websocket: ClientConnection, count: int) -> list[int]:
    return [(await heard(websocket))["meta"]["seq"] for _ in range(count)]


async def closed(websocket: ClientConnection) -> tuple[int | None, str | None]:
    """Return with which code, and which reason, the server closes it."""
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await websocket.recv()
    return websocket.close_code, websocket.close_reason


async def refused(emitter: Emitter, query: str = "", **options: Any) -> Response:
    with pytest.raises(InvalidStatus) as refusal:
        async with listening(emitter, query, **options):
            pass
    return refusal.value.response


def pending(emitter: Emitter) -> int:
    """Return the most that waits in any transport, in bytes."""
    listeners: list[Any] = [each.listener for each in emitter.hub.subscriptions.everyone()]
    transports = [listener._session._transport for listener in listeners]  # noqa: SLF001  # what it holds is tested
    return max(int(transport.get_write_buffer_size()) for transport in transports)


async def test_a_message_is_one_json_object(emitter: Emitter) -> None:
    """The welcome comes first, and each event has the fields that server-sent events have."""
    async with listening(emitter) as websocket:
        welcome = {"node": "emitter-1", "position": f"{EPOCH}:5", "recovered": False, "replayed": 0}
        assert await heard(websocket) == {"event": "welcome", "payload": welcome, "meta": {}}
        await emitter.post(live(6, 6))
        assert await heard(websocket) == {
            "event": "new_product",
            "payload": {"n": 6},
            "meta": {"seq": 6, "id": "id-6", "time": "2026-01-01T00:00:00.000Z"},
            "offset": f"{EPOCH}:6",
        }
        await emit(emitter, "news", ["hello"])
        assert await heard(websocket) == {"event": "news", "payload": ["hello"], "meta": {}}


async def test_a_long_replay_goes_over_into_what_is_live(emitter: Emitter) -> None:
    """What was missed comes as fast as it is read, what is committed meanwhile behind it: each once, in order."""
    for first in range(6, 1_006, 50):
        await post_large(emitter, first, first + 49, 10_000)
    async with listening(emitter, "?after=5") as websocket:
        # The kernel's buffers take a few MiB: less than this replay.
        await eventually(lambda: pending(emitter) > HIGH_WATER_BYTES, message="the rest of the replay waits")
        welcome = (await heard(websocket))["payload"]
        assert welcome["recovered"] is True
        assert welcome["replayed"] == 1_000
        numbers = await seqs(websocket, 1)
        await emitter.post(live(1_006, 1_015))
        numbers += await seqs(websocket, 1_009)
        await emitter.post(live(1_016, 1_016))
        numbers += await seqs(websocket, 1)
    assert numbers == list(range(6, 1_017))


async def test_a_client_that_breaks_off_again_and_again_misses_nothing(emitter: Emitter) -> None:
    """Under load, with the last offset as `after`, each event is heard once and in order over any number of runs."""
    last = 1_500

    async def load() -> None:
        for seq in range(6, last + 1, 5):
            await emitter.post(live(seq, seq + 4))
            await asyncio.sleep(0)

    numbers: list[int] = []
    place = f"{EPOCH}:5"
    loading = asyncio.create_task(load())
    while len(numbers) < last - 5:
        async with listening(emitter, f"?after={place}") as websocket:
            assert (await heard(websocket))["payload"]["recovered"] is True
            for _ in range(min(200, last - 5 - len(numbers))):
                told = await heard(websocket)
                place = told["offset"]
                numbers.append(told["meta"]["seq"])
            websocket.transport.abort()
    await loading
    assert numbers == list(range(6, last + 1))


async def test_topics_are_chosen_in_the_url(emitter: Emitter) -> None:
    """Only what belongs to one of the topics is heard, and once if it belongs to several."""
    async with listening(emitter, "?topics=category:books,category:games") as websocket:
        await heard(websocket)
        events = [event(6), event(7, "category:books", "category:games"), event(8, "category:games")]
        await emitter.post(live(6, 8).model_copy(update={"events": events}))
        assert await seqs(websocket, 2) == [7, 8]


async def test_what_cannot_be_recovered_is_said(emitter: Emitter) -> None:
    """The welcome says it, and what is new follows."""
    async with listening(emitter, "?after=other:3") as websocket:
        assert (await heard(websocket))["payload"]["recovered"] is False
        await emitter.post(live(6, 6))
        assert await seqs(websocket, 1) == [6]


@pytest.mark.parametrize(
    ("query", "field"),
    [("?topics=nonsense", "topics.0"), ("?after=yesterday", "after"), ("?topic=products", "topic")],
)
async def test_a_bad_query_is_refused_at_the_handshake(emitter: Emitter, query: str, field: str) -> None:
    """A problem document names what is wrong with the request."""
    answer = await refused(emitter, query)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in json.loads(answer.body)["errors"]] == [field]


async def test_a_token_leads_into_its_rooms() -> None:
    """What is for a user reaches its websockets; a token that proves nothing is refused at the handshake."""
    async with Emitter.running(jwt_secret=JWT_SECRET) as emitter:
        await emitter.open()
        async with listening(emitter, f"?token={token('anna')}") as websocket:
            await heard(websocket)
            await emit(emitter, "news", "not yours", ["user:ben"])
            await emit(emitter, "news", "yours", ["user:anna"])
            assert (await heard(websocket))["payload"] == "yours"
        assert (await refused(emitter, "?token=none")).status_code == 401


async def test_pages_of_other_origins_are_refused() -> None:
    """A page of elsewhere would otherwise listen in its visitors' name: browsers have no rule of their own for that."""
    page: Any = "https://shop.example"
    elsewhere: Any = "https://elsewhere.example"
    async with Emitter.running(allowed_origins=(page,)) as emitter:
        await emitter.open()
        answer = await refused(emitter, origin=elsewhere)
        assert answer.status_code == 403
        assert "STORECAST_ALLOWED_ORIGINS" in json.loads(answer.body)["detail"]
        async with listening(emitter, origin=page) as websocket:
            assert (await heard(websocket))["event"] == "welcome"


async def test_who_comes_without_a_websocket_is_told(emitter: Emitter) -> None:
    """The answer says how to come."""
    answer = await emitter.http.get("/websocket-service/raw")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"


async def test_nothing_is_compressed(emitter: Emitter) -> None:
    """A client that offers compression, which takes memory for each connection, does without."""
    async with listening(emitter, compression="deflate") as websocket:
        assert websocket.response is not None
        assert "Sec-WebSocket-Extensions" not in websocket.response.headers
        assert (await heard(websocket))["event"] == "welcome"


@pytest.mark.parametrize(
    ("message", "code"), [('{"subscribe":{}}', 1008), (b"\x00", 1008), ("x" * 100_001, 1009)], ids=str
)
async def test_what_a_client_says_ends_it(emitter: Emitter, message: str | bytes, code: int) -> None:
    """Nothing is read here, and who would wait for an answer is told so at once."""
    async with listening(emitter) as websocket:
        await heard(websocket)
        await websocket.send(message)
        assert (await closed(websocket))[0] == code
    await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="it is forgotten")


async def test_who_goes_is_forgotten(emitter: Emitter) -> None:
    """A websocket is counted as a connection as long as there is somebody at its other end."""
    before = connections()
    async with listening(emitter) as websocket:
        await heard(websocket)
        assert connections() == before + 1
        websocket.transport.abort()
        await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="it is forgotten")
        assert connections() == before


async def test_who_goes_while_waiting_leaves_nothing() -> None:
    """A client may go before there is a history; who stays is given what was missed."""
    before = connections()
    async with Emitter.running() as emitter:
        async with listening(emitter):
            pass
        async with listening(emitter, f"?after={EPOCH}:3") as websocket:
            await emitter.open_with(5)
            assert (await heard(websocket))["payload"]["recovered"] is True
            assert await seqs(websocket, 2) == [4, 5]
            assert len(emitter.hub.subscriptions.everyone()) == 1
            assert connections() == before + 1
    assert connections() == before


async def test_a_peer_that_is_dead_is_noticed() -> None:
    """Who does not answer a ping is forgotten within the interval and the time-out; who answers stays."""
    async with Emitter.running(ping_interval_ms=200, ping_timeout_ms=200) as emitter:
        await emitter.open()
        async with listening(emitter) as websocket, never_reading(emitter, REQUEST):
            await heard(websocket)
            assert len(emitter.hub.subscriptions.everyone()) == 2
            # By default that would take three quarters of a minute.
            await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 1, message="it is forgotten")
            await emitter.post(live(1, 1))
            assert await seqs(websocket, 1) == [1]


async def test_who_does_not_read_grows_nothing(emitter: Emitter) -> None:
    """Numbered events wait in the history: of those no more than a part waits for a client that does not read."""
    async with never_reading(emitter, REQUEST), listening(emitter) as websocket:
        await heard(websocket)
        for first in range(6, 806, 20):
            await post_large(emitter, first, first + 19, 10_000)
            assert await seqs(websocket, 20) == list(range(first, first + 20))
            assert pending(emitter) <= HIGH_WATER_BYTES + 2 * CHUNK_BYTES
        assert pending(emitter) > 0, "the other one does not read"


async def test_who_does_not_read_messages_is_cut_off(emitter: Emitter) -> None:
    """What has no number waits within a bound; beyond it the connection ends, and nobody else notices."""
    before = cut_off()
    async with never_reading(emitter, REQUEST), listening(emitter) as websocket:
        await heard(websocket)
        for number in range(200):
            await emit(emitter, "news", [number, "x" * 100_000])
            assert (await heard(websocket))["payload"][0] == number
            if cut_off() > before:
                break
        assert cut_off() == before + 1
        assert len(emitter.hub.subscriptions.everyone()) == 1


async def test_a_flood_of_pings_from_who_does_not_read_ends_it() -> None:
    """The answers to a client's own pings are bounded as well."""
    before = cut_off()
    async with Emitter.running(client_messages_per_second=10_000) as emitter:
        host, port = emitter.address.split(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(REQUEST.encode())
        ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True)
        async with asyncio.timeout(30):
            while cut_off() == before:
                writer.write(ping * 1_000)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
        writer.transport.abort()
        await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="it is gone")


async def test_a_new_epoch_closes_them(emitter: Emitter) -> None:
    """What follows cannot be given to those who heard the old epoch: they come back, and are told so."""
    async with listening(emitter) as websocket:
        await heard(websocket)
        await emitter.post(history(1, 2, "e2"))
        await emitter.post(closing(2, "e2"))
        assert await closed(websocket) == (1013, "connect again, with the last offset as after")


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "waiting"])
async def test_they_are_told_when_the_server_ends(capfd: pytest.CaptureFixture[str], *, is_open: bool) -> None:
    """Nobody is waited for: neither who listens nor who waits for the history."""

    async def end() -> float:
        async with contextlib.AsyncExitStack() as stack:
            async with Emitter.running() as emitter:
                websocket = await stack.enter_async_context(listening(emitter))
                if is_open:
                    await emitter.open()
                    await heard(websocket)
                begun = asyncio.get_running_loop().time()
            took_s = asyncio.get_running_loop().time() - begun
            assert (await closed(websocket))[0] == 1001
        return took_s

    await quick(end, under_s=2, message="it ends")
    assert "Traceback" not in capfd.readouterr().err
