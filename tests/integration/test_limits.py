"""Every limit of the emitter is reached, by the clients that it is for: what they are told, and what is counted."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from shared.serving.rates.local import LocalRate
from tests.events import live
from tests.integration.emitter import Emitter, RawClient
from tests.limits import limited
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually
from ws_service.calls import MAX_BODY_BYTES
from ws_service.engine import http
from ws_service.engine.server import MAX_FIELDS, MOST_REFUSALS
from ws_service.engine.session import MOST_WAITING
from ws_service.limits.admission import Admission
from ws_service.messages import acknowledgements

pytestmark = pytest.mark.usefixtures("still_windows")

SOCKETS = "/websocket-service"
POLLING = f"{SOCKETS}/?EIO=4&transport=polling"
WEBSOCKET = f"{SOCKETS}/?EIO=4&transport=websocket"
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: emitter\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ONE, OTHER = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}


def admission(emitter: Emitter) -> Admission:
    found: Admission = emitter.sockets.server.eio.admission
    return found


async def polling(emitter: Emitter, headers: dict[str, str]) -> int:
    return (await emitter.public.get(POLLING, headers=headers)).status_code


async def websocket(emitter: Emitter, headers: dict[str, str], path: str = WEBSOCKET) -> int:
    """Open one, for as long as the emitter is there; return what the handshake was answered with."""
    try:
        await connect(f"ws://{emitter.address}{path}", proxy=None, additional_headers=headers)
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


async def raw(emitter: Emitter, headers: dict[str, str]) -> int:
    return await websocket(emitter, headers, f"{SOCKETS}/raw")


async def sse(emitter: Emitter, headers: dict[str, str]) -> int:
    request = emitter.public.build_request("GET", f"{SOCKETS}/sse", headers=headers)
    answer = await emitter.public.send(request, stream=True)
    return answer.status_code


Way = Callable[[Emitter, dict[str, str]], Coroutine[Any, Any, int]]
WAYS: dict[Way, int] = {polling: 200, websocket: 101, raw: 101, sse: 200}
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


async def answers(emitter: Emitter, path: str, headers: dict[str, str]) -> httpx.Response:
    """Return how a request is answered that would begin to listen."""
    return await emitter.public.get(path, headers=headers)


# How many there are.


@each_way
async def test_an_emitter_that_is_full_takes_nobody(way: Way) -> None:
    """503, which sends a client to another emitter; whoever goes makes room."""
    async with Emitter.opened(max_connections=4) as emitter:
        before = limited("connections")
        for taken, status in WAYS.items():
            assert await taken(emitter, OTHER) == status
        assert await way(emitter, ONE) == 503
        assert limited("connections") == before + 1
        next(iter(emitter.sockets.server.eio.sockets.values())).close(at_once=True)
        assert await way(emitter, ONE) == WAYS[way]


async def test_who_is_not_taken_is_told_why_and_when_to_come_again() -> None:
    """Engine.IO's own form of an error for its clients, a problem document for all others; with `Retry-After`."""
    async with Emitter.opened(max_connections=1, max_connections_per_address=1) as emitter:
        assert await polling(emitter, OTHER) == 200
        full = await answers(emitter, POLLING, ONE)
        assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
        assert full.json() == {"code": 3, "message": "this emitter is full: try again"}
        full = await answers(emitter, f"{SOCKETS}/sse", {**ONE, "Origin": f"http://{emitter.address}"})
        assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
        assert full.headers["Content-Type"] == "application/problem+json"
        assert full.headers["Access-Control-Allow-Origin"] == f"http://{emitter.address}"
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{emitter.address}{SOCKETS}/raw", proxy=None)
        assert refused.value.response.headers["Retry-After"] == "1"
        assert json.loads(refused.value.response.body or b"")["status"] == 503


@each_way
async def test_one_address_has_so_many_connections_and_no_more(way: Way) -> None:
    """429; over all ways to listen together, and whatever other addresses have."""
    async with Emitter.opened(max_connections_per_address=4) as emitter:
        before = limited("connections_per_address")
        for taken, status in WAYS.items():
            assert await taken(emitter, ONE) == status
        assert await way(emitter, ONE) == 429
        assert await way(emitter, OTHER) == WAYS[way]
        assert limited("connections_per_address") == before + 1


async def test_the_address_is_not_what_a_client_says() -> None:
    """Only a trusted proxy is believed, and of its header only what it wrote itself."""
    async with Emitter.opened(max_connections_per_address=1, trusted_proxies=["192.0.2.0/24"]) as emitter:
        assert await polling(emitter, ONE) == 200
        assert await polling(emitter, OTHER) == 429, "nobody believes this one"
    async with Emitter.opened(max_connections_per_address=1) as emitter:
        forged = [{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.1"} for number in range(2)]
        assert [await polling(emitter, headers) for headers in forged] == [200, 429]


async def test_a_session_that_changes_its_transport_is_one_connection() -> None:
    """Long-polling counts between two polls, and a websocket that takes it over does not count again."""
    async with Emitter.opened(max_connections_per_address=1) as emitter:
        opened = json.loads((await answers(emitter, POLLING, {})).text[1:])
        assert len(admission(emitter)) == 1
        path = f"ws://{emitter.address}{WEBSOCKET}&sid={opened['sid']}"
        async with connect(path, proxy=None) as upgraded:
            await upgraded.send("2probe")
            assert await upgraded.recv() == "3probe"
            await upgraded.send("5")
            await upgraded.send("40")
            await upgraded.recv()
            assert len(admission(emitter)) == 1
        await eventually(lambda: len(admission(emitter)) == 0, message="it is not counted any more")


class Slow:
    """A rate that takes its time, as one that is far away does."""

    async def permits(self, _who: str) -> bool:
        """Permit everything, in the end."""
        await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311  # a test of all moments
        return True


@each_way
async def test_many_at_once_do_not_slip_through(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes that are under way at the same time are counted like any others."""
    async with Emitter.opened(max_connections_per_address=5) as emitter, asyncio.TaskGroup() as group:
        monkeypatch.setattr(admission(emitter), "_handshakes", Slow())
        tasks = [group.create_task(way(emitter, ONE)) for _ in range(40)]
        done, _ = await asyncio.wait(tasks)
        statuses = [task.result() for task in done]
        assert statuses.count(WAYS[way]) == 5
        assert statuses.count(429) == 35
        assert len(admission(emitter)) == 5


async def test_nobody_is_counted_who_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However and whenever clients end, in the middle of a handshake too: the count is of those who are there."""
    seeded = random.Random(7)  # noqa: S311  # it has to repeat itself
    async with Emitter.opened(ping_interval_ms=200, ping_timeout_ms=200, connect_timeout_ms=500) as emitter:
        monkeypatch.setattr(admission(emitter), "_handshakes", Slow())
        host, port = emitter.address.split(":")

        async def visit() -> None:
            reader, writer = await asyncio.open_connection(host, int(port))
            path = seeded.choice([WEBSOCKET, f"{SOCKETS}/raw", f"{SOCKETS}/sse", POLLING])
            is_websocket = path in {WEBSOCKET, f"{SOCKETS}/raw"}
            request = UPGRADE.format(path=path) if is_websocket else f"GET {path} HTTP/1.1\r\nHost: emitter\r\n\r\n"
            writer.write(request.encode()[: seeded.choice([40, 10_000, 10_000, 10_000])])
            if seeded.random() < 0.3:
                with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(0.1):
                        await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(seeded.choice([0, 0.005, 0.02]))
            if seeded.random() < 0.5:
                writer.transport.abort()
            else:
                writer.close()

        for _ in range(6):
            await asyncio.gather(*(visit() for _ in range(50)))
        await eventually(lambda: len(admission(emitter)) == 0, message="nobody is counted", timeout_s=20)
        assert admission(emitter)._of == {}  # noqa: SLF001  # the addresses that are kept
        assert not emitter.sockets.server.eio.sockets or all(
            session.is_closed for session in emitter.sockets.server.eio.sockets.values()
        )


async def test_connections_that_are_no_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens them and asks for nothing makes room for who does; clients keep theirs."""
    monkeypatch.setattr(http, "SPARE_CONNECTIONS", 5)
    monkeypatch.setattr(http, "RESERVED_CONNECTIONS", 5)
    async with Emitter.opened(max_connections=1) as emitter, client_of(emitter) as client:
        before = limited("http_connections")
        host, port = emitter.address.split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(30)]
        assert (await emitter.http.get("/livez")).status_code == 200
        assert limited("http_connections") > before + 15
        await emitter.post(live(1, 1))
        assert await client.seqs(1) == [1]
        for _, writer in idle:
            writer.close()


async def test_an_internal_call_has_so_many_bytes() -> None:
    """413: of the relay's own batches none is that large."""
    async with Emitter.opened() as emitter:
        before = limited("body")
        answer = await emitter.http.post("/events", content=b" " * (MAX_BODY_BYTES + 1))
        assert answer.status_code == 413
        assert limited("body") == before + 1


# How fast they come.


@each_way
async def test_handshakes_from_one_address_have_a_rate(way: Way) -> None:
    """Twice the rate may come at once, over all ways together; then 429, and others come as before."""
    async with Emitter.opened(handshakes_per_second=4) as emitter:
        before = limited("handshakes")
        first = [await taken(emitter, ONE) for taken in [*WAYS, *WAYS]]
        assert first == [*WAYS.values(), *WAYS.values()]
        assert await way(emitter, ONE) == 429
        assert await way(emitter, OTHER) == WAYS[way]
        assert limited("handshakes") == before + 1


async def test_polls_are_no_handshakes() -> None:
    """Who is in asks as often as it likes."""
    async with Emitter.opened(handshakes_per_second=1) as emitter:
        opened = json.loads((await answers(emitter, POLLING, {})).text[1:])
        session = f"{POLLING}&sid={opened['sid']}"
        await emitter.public.post(session, content="40")
        for _ in range(10):
            assert (await emitter.public.post(session, content="3")).text == "ok"


async def test_who_polls_without_a_pause_is_answered_a_little_later() -> None:
    """Each poll costs a request: beyond the rate one waits, and then has all that has come meanwhile."""
    async with Emitter.opened(client_polls_per_second=1) as emitter:
        opened = json.loads((await answers(emitter, POLLING, {})).text[1:])
        session = f"{POLLING}&sid={opened['sid']}"
        await emitter.public.post(session, content="40")
        await eventually(emitter.hub.subscriptions.everyone, message="it is connected")
        before = limited("polls")
        numbers = itertools.count()
        heard: list[int] = []
        async with asyncio.timeout(30):
            while limited("polls") == before:
                await say(emitter, next(numbers))
                polling = asyncio.create_task(emitter.public.get(session))
                if await is_held_back(polling, before):
                    await say(emitter, next(numbers))
                packets = (await polling).text.split("\x1e")
                heard += [json.loads(packet[2:])[1] for packet in packets if packet.startswith('42["said"')]
        assert limited("polls") == before + 1
        assert heard == list(range(next(numbers))), "the last answer has what came while it waited"


async def is_held_back(polling: asyncio.Task[httpx.Response], before: float) -> bool:
    await eventually(lambda: limited("polls") > before or polling.done(), message="it is dealt with")
    return not polling.done()


async def say(emitter: Emitter, number: int) -> None:
    answer = await emitter.http.post("/emit", json={"event": "said", "payload": number})
    assert answer.json() == {"reached": 1}


# What they say.

REQUESTS: dict[str, Any] = {
    "subscribe": {"topics": ["products"]},
    "unsubscribe": {"topics": ["products"]},
    "publish": {"topic": "chat:lobby", "event": "said", "payload": 1},
    "authenticate": {"token": "none"},
    "no such thing": None,
}


@contextlib.asynccontextmanager
async def client_of(emitter: Emitter, auth: Any = None) -> AsyncIterator[RawClient]:
    async with emitter.client(auth) as client:
        await client.welcome()
        yield client


@pytest.mark.parametrize("event", REQUESTS)
async def test_all_requests_of_a_client_count(event: str) -> None:
    """Twice the rate may come at once, of whatever kind; more is refused with 429 and not dealt with."""
    async with Emitter.opened(client_messages_per_second=3) as emitter, client_of(emitter) as client:
        before = limited("messages")
        for name, request in REQUESTS.items():
            assert (await client.call(name, request)).get("error", {}).get("status") != 429
        assert (await client.call("subscribe", REQUESTS["subscribe"])).get("error") is None
        error = (await client.call(event, REQUESTS[event]))["error"]
        assert (error["status"], error["detail"]) == (429, "at most 3 messages a second: wait, and send it again")
        assert limited("messages") == before + 1
        async with client_of(emitter) as other:
            assert (await other.call("subscribe", REQUESTS["subscribe"])).get("error") is None


async def test_coming_and_going_within_a_session_counts_too() -> None:
    """Each CONNECT has the emitter read a token, and send what was missed."""
    async with Emitter.opened(client_messages_per_second=1) as emitter, client_of(emitter) as client:
        for _ in range(2):
            await client.send("41")
            await client.send("40")
            await client.welcome()
        await client.send("41")
        await client.send("40")
        refusal = await client.refused()
        assert refusal["data"]["status"] == 429


async def test_who_goes_on_regardless_is_sent_away() -> None:
    """A flood is not answered for ever: the websocket is closed with 1008 and the reason."""
    async with Emitter.opened(client_messages_per_second=5) as emitter, client_of(emitter) as client:
        before = limited("flood")
        for number in range(100):
            await client.send(f'42{number}["nothing"]')
        heard = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                heard.append(await client.receive())
        statuses = [json.loads(each[each.index("[") :])[0]["error"]["status"] for each in heard]
        assert (statuses.count(404), statuses.count(429)) == (10, 10)
        websocket = client.websocket
        assert (websocket.close_code, websocket.close_reason) == (1008, "far more than 5 messages a second")
        assert limited("flood") == before + 1
        await eventually(lambda: len(admission(emitter)) == 0, message="it is not counted any more")


async def test_who_is_refused_again_and_again_is_sent_away() -> None:
    """A client may mend its token without a new connection, but not guess one."""
    async with Emitter.opened(auth="jwt", jwt_secret=JWT_SECRET) as emitter:
        before = limited("refusals")
        async with emitter.client({"token": "wrong"}) as client:
            assert (await client.refused())["data"]["status"] == 401
            await client.send("40" + json.dumps({"token": token("ann")}))
            await client.welcome()
        async with emitter.client({"token": "wrong"}) as client:
            for number in range(MOST_REFUSALS):
                assert (await client.refused())["data"]["status"] == 401
                if number < MOST_REFUSALS - 1:
                    await client.send('40{"token":"wrong"}')
            await client.closed()
            assert (client.websocket.close_code, client.websocket.close_reason) == (1008, "refused 5 times")
        assert limited("refusals") == before + 1


async def test_an_object_has_a_few_fields() -> None:
    """Each unknown field is a mistake that is looked for: thousands of them would take as long as a hundred clients."""
    many = {f"f{number}": 1 for number in range(7_000)}
    async with Emitter.opened(client_topics=["chat:*"]) as emitter:
        before = limited("fields")
        async with emitter.client(many) as client:
            begun = asyncio.get_running_loop().time()
            refusal = await client.refused()
            assert asyncio.get_running_loop().time() - begun < 0.02
            assert refusal["data"]["detail"] == f"an object has at most {MAX_FIELDS} fields"
        async with client_of(emitter) as client:
            for name in REQUESTS:
                assert (await client.call(name, many))["error"]["status"] == 422
            assert limited("fields") == before + 1 + len(REQUESTS)
            said = {"topic": "chat:lobby", "event": "said", "payload": many}
            assert await client.call("publish", said) == {"reached": 0}, "what is said to others is another matter"


async def test_a_message_has_so_many_bytes_over_a_websocket() -> None:
    """1009, the code for it, whether it comes in one frame or in several."""
    async with Emitter.opened(max_payload_bytes=1_000) as emitter:
        for pieces in (["x" * 1_001], ["x" * 600, "x" * 600]):
            before = limited("payload")
            async with client_of(emitter) as client:
                await client.websocket.send(pieces)
                await client.closed()
                assert client.websocket.close_code == 1009
                assert "exceeds limit of 1000 bytes" in str(client.websocket.close_reason)
            assert limited("payload") == before + 1


async def test_a_request_of_a_poller_has_as_many() -> None:
    """413, and nothing of it is read."""
    async with Emitter.opened(max_payload_bytes=1_000) as emitter:
        before = limited("payload")
        opened = json.loads((await answers(emitter, POLLING, {})).text[1:])
        answer = await emitter.public.post(f"{POLLING}&sid={opened['sid']}", content="4" * 1_001)
        assert answer.status_code == 413
        assert limited("payload") == before + 1


async def test_a_client_hears_so_many_topics() -> None:
    """In its handshake, in its URL, and with all that it subscribes to later: 422, and what it has stays."""
    three = [f"category:c{number}" for number in range(3)]
    async with Emitter.opened(max_topics=2) as emitter:
        before = limited("topics")
        async with emitter.client({"topics": three}) as client:
            refusal = await client.refused()
            assert refusal["data"]["errors"] == [{"field": "topics", "message": "at most 2 topics"}]
        assert (await answers(emitter, f"{SOCKETS}/sse?topics={','.join(three)}", {})).status_code == 422
        async with client_of(emitter, {"topics": three[:2]}) as client:
            assert (await client.call("subscribe", {"topics": three}))["error"]["status"] == 422
            assert (await client.call("subscribe", {"topics": three[2:]}))["error"]["status"] == 422
            assert (await client.call("subscribe", {"topics": three[:2]}))["topics"] == three[:2]
        assert limited("topics") == before + 4


async def test_so_much_of_a_client_waits_and_no_more_is_read() -> None:
    """Its requests are dealt with one after the other; what has come meanwhile is bounded, and nothing is lost."""
    before = limited("waiting")
    # Without a history: the client waits for it, and its messages behind that.
    async with Emitter.running(client_messages_per_second=10_000) as emitter, emitter.client() as client:
        for number in range(5 * MOST_WAITING):
            await client.send(f'42{number}["nothing"]')
        await eventually(lambda: limited("waiting") == before + 1, message="no more is read")
        await emitter.open()
        await client.welcome()
        for number in range(5 * MOST_WAITING):
            assert (await client.receive()).startswith(f"43{number}[")


async def test_so_many_bytes_of_a_client_wait_and_no_more_is_read() -> None:
    """Few messages that are large fill as much memory as many that are small."""
    before = limited("waiting")
    # Without a history: the client waits for it, and its messages behind that.
    async with Emitter.running() as emitter, emitter.client() as client:
        for number in range(10):
            await client.send(f'42{number}["nothing","{"x" * 90_000}"]')
        await eventually(lambda: limited("waiting") == before + 1, message="no more is read")
        await emitter.open()
        await client.welcome()
        for number in range(10):
            assert (await client.receive()).startswith(f"43{number}[")


# How long they take.


async def test_who_does_not_join_is_let_go() -> None:
    """A connection is for a client that listens."""
    before = limited("connect_time")
    async with Emitter.opened(connect_timeout_ms=100) as emitter:
        async with connect(f"ws://{emitter.address}{WEBSOCKET}", proxy=None) as stranger, asyncio.timeout(5):
            await stranger.wait_closed()
        assert (stranger.close_code, stranger.close_reason) == (1008, "a client has to join within 0.1 s")
        assert len(admission(emitter)) == 0
    assert limited("connect_time") == before + 1


async def test_who_does_not_change_over_goes_on_polling() -> None:
    """A websocket that takes its time to take over is closed; the session lives on."""
    before = limited("upgrade_time")
    async with Emitter.opened(upgrade_timeout_ms=100) as emitter:
        opened = json.loads((await answers(emitter, POLLING, {})).text[1:])
        async with connect(f"ws://{emitter.address}{WEBSOCKET}&sid={opened['sid']}", proxy=None) as slow:
            async with asyncio.timeout(5):
                await slow.wait_closed()
        assert (await emitter.public.post(f"{POLLING}&sid={opened['sid']}", content="40")).text == "ok"
    assert limited("upgrade_time") == before + 1


async def test_so_many_messages_wait_for_acknowledgements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends one more is told to come again, and nobody is sent it."""
    monkeypatch.setattr(acknowledgements, "MAX_WAITING", 3)
    before = limited("acknowledgements")
    async with Emitter.opened() as emitter, client_of(emitter) as client, asyncio.TaskGroup() as group:
        message = {"event": "asked", "ack_timeout_ms": 60_000}
        for _ in range(3):
            group.create_task(emitter.http.post("/emit", json=message, timeout=60))
        numbers = [(await client.asked())[0] for _ in range(3)]
        refused = await emitter.http.post("/emit", json=message)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert limited("acknowledgements") == before + 1
        for number in numbers:
            await client.acknowledge(number)


async def test_a_query_with_thousands_of_parameters_is_read_in_no_time() -> None:
    """What is beyond a hundred of them is not looked at."""
    async with Emitter.opened() as emitter:
        query = "&".join(f"p{number}" for number in range(2_500))
        answer = await answers(emitter, f"{POLLING}&{query}", {})
        assert answer.status_code == 200
        assert (await answers(emitter, f"{SOCKETS}/sse?{query}", {})).status_code == 422


async def test_idle_clients_are_not_counted_for_what_they_say() -> None:
    """A window for each is kept only as long as it is of use: thousands who connect and listen take none."""
    async with Emitter.opened() as emitter, client_of(emitter) as client:
        windows = emitter.sockets.server._requests  # noqa: SLF001  # its size is seen nowhere else
        assert isinstance(windows, LocalRate)
        assert len(windows) == 0
        await client.call("subscribe", REQUESTS["subscribe"])
        assert len(windows) == 1
