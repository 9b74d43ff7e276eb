"""Messages without a number over many emitters: whom they reach, in which order, and what the answer says."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from shared.emitter_api import EMIT_PATH
from tests.integration.cluster import all_at, emitters
from tests.integration.emitter import Emitter, RawClient
from tests.redis_server import RedisServer
from tests.tokens import JWT_SECRET, token
from ws_service.messages import acknowledgements

SENDERS = 3
SAID = 30


@pytest.fixture
async def three(redis: RedisServer) -> AsyncIterator[list[Emitter]]:
    fields = {"jwt_secret": JWT_SECRET, "client_topics": ("chat:*",), "client_messages_per_second": 1_000}
    async with emitters(3, redis.url, **fields) as running:
        await running[0].open()
        await all_at(0, running)
        yield running


@contextlib.asynccontextmanager
async def devices(running: list[Emitter], **auth: Any) -> AsyncIterator[list[RawClient]]:
    """Connect one device to each emitter: `screen-1` to the first, and so on."""
    async with contextlib.AsyncExitStack() as stack:
        connected = []
        for number, emitter in enumerate(running, start=1):
            client = await stack.enter_async_context(emitter.client({"token": token(f"screen-{number}"), **auth}))
            await client.welcome()
            connected.append(client)
        yield connected


async def emit(emitter: Emitter, **message: Any) -> dict[str, Any]:
    answer = await emitter.http.post(EMIT_PATH, json={"event": "picture", **message})
    assert answer.status_code == HTTPStatus.OK, answer.text
    return dict(answer.json())


async def test_a_message_reaches_a_device_wherever_it_is_connected(three: list[Emitter]) -> None:
    """Posted to any emitter, it reaches exactly the named ones, and names those who are not connected."""
    async with devices(three) as screens:
        answer = await emit(three[2], payload={"n": 1}, to=["device:screen-1", "user:screen-2", "device:nobody"])
        assert answer == {"reached": 2, "not_connected": ["device:nobody"]}
        for screen in screens[:2]:
            assert await screen.event() == ["picture", {"n": 1}, {}]
        assert (await emit(three[0], payload="all"))["reached"] == len(screens)
        assert await screens[2].event() == ["picture", "all", {}]


async def test_acknowledgements_come_from_all_emitters(three: list[Emitter]) -> None:
    """The answer says who acknowledged, on which emitter, with what, and who did not in time."""
    names = [f"device:screen-{number}" for number in (1, 2, 3)]
    async with devices(three) as screens:
        asking = asyncio.create_task(emit(three[0], to=names, ack_timeout_ms=3_000))
        for screen in screens[1:]:
            number, _ = await screen.asked()
            await screen.acknowledge(number, {"i am": screen.sid})
        answer = await asking
        assert {(ack["user"], ack["node"]) for ack in answer["acks"]} == {
            ("screen-2", "emitter-2"),
            ("screen-3", "emitter-3"),
        }
        assert {ack["sid"] for ack in answer["acks"]} == {screen.sid for screen in screens[1:]}
        assert all(ack["answer"] == [{"i am": ack["sid"]}] for ack in answer["acks"])
        assert answer["unacknowledged"] == [{"sid": screens[0].sid, "node": "emitter-1", "user": "screen-1"}]
        assert answer["reached"] == len(screens)


async def test_an_emitter_that_has_no_place_for_another_wait_says_so(
    three: list[Emitter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, with the reason, and whichever emitter it is: who asked does not wait until nobody has answered."""
    monkeypatch.setattr(acknowledgements, "MAX_WAITING", 0)
    async with devices(three), asyncio.timeout(30):
        answer = await three[0].http.post(EMIT_PATH, json={"event": "picture", "ack_timeout_ms": 60_000}, timeout=60)
    assert (answer.status_code, answer.headers["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "1")
    assert answer.json()["detail"].startswith("0 messages wait for acknowledgements already")


async def test_all_hear_what_clients_publish_in_one_order(three: list[Emitter]) -> None:
    """Senders on several emitters talk at once: all hear all of it, each sender in its order, and the same order."""
    async with devices(three, topics=["products", "chat:lobby"]) as members:
        await asyncio.gather(*(_talk(member, number) for number, member in enumerate(members)))
        heard = [[(await member.event())[1] for _ in range(SENDERS * SAID)] for member in members]
    assert heard[0] == heard[1] == heard[2]
    for sender in range(SENDERS):
        assert [n for who, n in heard[0] if who == sender] == list(range(SAID))


async def _talk(member: RawClient, sender: int) -> None:
    for n in range(SAID):
        # Without an acknowledgement: what one client sends is dealt with in its order.
        said = {"topic": "chat:lobby", "event": "said", "payload": [sender, n]}
        await member.say("publish", said)


async def test_without_redis_nobody_is_told_that_it_was_sent(redis: RedisServer, three: list[Emitter]) -> None:
    """A message that cannot be handed to all is answered with 503, a client's with the same problem."""
    async with devices(three) as screens:
        await redis.kill()
        answer = await three[0].http.post(EMIT_PATH, json={"event": "picture"})
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        refused = await screens[1].call("publish", {"topic": "chat:lobby", "event": "said"})
        assert refused["error"]["status"] == HTTPStatus.SERVICE_UNAVAILABLE


async def test_of_a_redis_that_hangs_nobody_is_told_that_it_was_sent(redis: RedisServer, three: list[Emitter]) -> None:
    """Not an answer that reached nobody: a 503, and what was written may be heard later."""
    async with devices(three) as screens:
        redis.send(signal.SIGSTOP)
        answer = await three[0].http.post(EMIT_PATH, json={"event": "picture"})
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        refused = await screens[1].call("publish", {"topic": "chat:lobby", "event": "said"})
        assert refused["error"]["status"] == HTTPStatus.SERVICE_UNAVAILABLE
        redis.send(signal.SIGCONT)


async def test_what_is_too_large_for_the_others_is_refused(three: list[Emitter]) -> None:
    """413, and nothing was sent: Redis has to hold every message for a minute."""
    answer = await three[0].http.post(EMIT_PATH, json={"event": "picture", "payload": "x" * (4 << 20)})
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_a_letter_that_cannot_be_read_is_passed_over(redis: RedisServer, three: list[Emitter]) -> None:
    """One of another version, or a broken one, costs nobody the next."""
    async with devices(three) as screens:
        broken: list[Any] = [{"x": "y"}, {"k": "beat", "t": "", "h": "{", "p": ""}]
        for fields in [*broken, {"k": "dispatch", "t": "", "h": "{}", "p": ""}]:
            redis.client.xadd("storecast:letters", fields)
        assert (await emit(three[0], payload=1))["reached"] == len(screens)
        assert not any(emitter.nodes.is_deaf for emitter in three)


async def test_an_emitter_that_does_not_answer_is_named(redis: RedisServer, three: list[Emitter]) -> None:
    """The answer does not wait for a node that was there a moment ago, and does not hide that it is missing."""
    beat = {"id": "x", "number": 1, "node": "emitter-9", "url": "", "state": "ready", "connections": 7, "lag_ms": 0}
    three[0].nodes.hear(type(three[0].nodes.present()[0]).model_validate(beat))
    answer = await emit(three[0], payload=1)
    assert answer == {"reached": 0, "silent_nodes": ["emitter-9"]}
    del redis


async def test_operators_see_all_connections_from_any_emitter(three: list[Emitter]) -> None:
    """Totals, by node, by topic, and where a user is connected."""
    async with devices(three, topics=["category:books"]) as screens:
        answer = await three[1].http.get("/connections", params={"of": ["user:screen-3", "user:nobody"]})
        counted = answer.json()
        assert counted["connections"] == len(screens)
        assert [(node["node"], node["connections"]) for node in counted["nodes"]] == [
            ("emitter-1", 1),
            ("emitter-2", 1),
            ("emitter-3", 1),
        ]
        assert counted["topics"] == {"category:books": 3}
        assert counted["where"] == {
            "user:screen-3": [{"node": "emitter-3", "sid": screens[2].sid, "user": "screen-3"}],
            "user:nobody": [],
        }
        assert counted["silent_nodes"] == []
        assert all(node["lag_ms"] >= 0 for node in counted["nodes"])
        fewer = (await three[1].http.get("/connections", params={"topics": "false"})).json()
        assert (fewer["connections"], fewer["topics"]) == (len(screens), {})


async def test_only_who_knows_the_secret_may_look(three: list[Emitter]) -> None:
    """Operator calls demand the emitter secret."""
    without = {"Authorization": "Bearer wrong"}
    for method, path in (("GET", "/connections"), ("POST", "/drain"), ("POST", "/rebalance")):
        answer = await three[0].http.request(method, path, headers=without)
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
