"""`POST /emit` to some: over the wire, with raw clients and the stock one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.emitter_api import EMIT_PATH
from tests.integration.emitter import Emitter, RawClient
from tests.listening import Listener
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually

DEVICES = 500


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running(jwt_secret=JWT_SECRET) as emitter:
        await emitter.open()
        yield emitter


async def emit(emitter: Emitter, **message: Any) -> dict[str, Any]:
    answer = await emitter.http.post(EMIT_PATH, json={"event": "picture", **message}, timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@contextlib.asynccontextmanager
async def device(emitter: Emitter, sub: str) -> AsyncIterator[RawClient]:
    async with emitter.client({"token": token(sub)}) as client:
        await client.welcome()
        yield client


async def acknowledging(client: RawClient, answer: object) -> None:
    while True:
        number, _ = await client.asked()
        await client.acknowledge(number, answer)


async def test_of_500_devices_exactly_those_that_were_named_acknowledge(emitter: Emitter) -> None:
    """The answer to a message to 50 devices is 50 acknowledgements, each with what that device said."""
    names = [f"screen-{number}" for number in range(DEVICES)]
    async with contextlib.AsyncExitStack() as stack:
        clients = await asyncio.gather(*[stack.enter_async_context(device(emitter, name)) for name in names])
        tasks = [
            asyncio.create_task(acknowledging(client, {"i am": name}))
            for client, name in zip(clients, names, strict=True)
        ]
        wanted = names[::10]
        answer = await emit(
            emitter, payload={"show": 7}, to=[f"device:{name}" for name in wanted], ack_timeout_ms=20_000
        )
        for task in tasks:
            task.cancel()
    assert answer["reached"] == len(wanted) == 50
    assert {ack["user"]: ack["answer"] for ack in answer["acks"]} == {name: [{"i am": name}] for name in wanted}
    assert {ack["node"] for ack in answer["acks"]} == {"emitter-1"}
    assert len({ack["sid"] for ack in answer["acks"]}) == 50
    assert (answer["unacknowledged"], answer["not_connected"]) == ([], [])


async def test_a_device_that_is_not_connected_is_said_at_once(emitter: Emitter) -> None:
    """Nobody waits for an answer that cannot come."""
    async with asyncio.timeout(30):
        answer = await emit(emitter, to=["device:away"], ack_timeout_ms=60_000)
    assert answer == {"reached": 0, "acks": [], "unacknowledged": [], "not_connected": ["device:away"]}


async def test_who_does_not_acknowledge_in_time_is_named(emitter: Emitter) -> None:
    """The answer comes at the time-out, and an acknowledgement after it harms nobody."""
    async with device(emitter, "slow") as slow, device(emitter, "quick") as quick:
        [answer, (number, _), _] = await asyncio.gather(
            emit(emitter, to=["user:slow", "user:quick"], ack_timeout_ms=2_000),
            slow.asked(),
            _acknowledge_twice(quick),
        )
        assert [ack["user"] for ack in answer["acks"]] == ["quick"]
        [missing] = answer["unacknowledged"]
        assert (missing["user"], missing["node"]) == ("slow", "emitter-1")
        await slow.acknowledge(number, "late")
        await slow.acknowledge(99, "of nothing")
        await slow.send("43[]")
        assert (await emit(emitter, to=["user:slow"])) == {"reached": 1, "not_connected": []}
        assert await slow.event() == ["picture", None, {}]


async def _acknowledge_twice(client: RawClient) -> None:
    number, _ = await client.asked()
    await client.acknowledge(number, 1)
    await client.acknowledge(number, 2)


async def test_a_device_that_goes_is_not_waited_for(emitter: Emitter) -> None:
    """A connection that closes ends the wait for its acknowledgement."""
    async with asyncio.timeout(30):
        async with device(emitter, "leaving") as client:
            sending = asyncio.create_task(emit(emitter, to=["user:leaving"], ack_timeout_ms=60_000))
            await client.asked()
        assert [each["user"] for each in (await sending)["unacknowledged"]] == ["leaving"]


async def test_hostile_answers_cost_nobody_else_theirs(emitter: Emitter) -> None:
    """Nested too deeply, an answer counts as none; binary data arrives in Base64."""
    async with device(emitter, "hostile") as hostile, device(emitter, "binary") as binary:
        sending = asyncio.create_task(emit(emitter, to=["user:hostile", "user:binary"], ack_timeout_ms=60_000))
        number, _ = await hostile.asked()
        await hostile.send(f"43{number}{'[' * 900}{']' * 900}")
        await binary.asked()
        await binary.send(f'461-{number}[{{"_placeholder":true,"num":0}}]')
        await binary.websocket.send(b"\0\1")
        answer = await sending
        assert [(ack["user"], ack["answer"]) for ack in answer["acks"]] == [("binary", [{"base64": "AAE="}])]
        assert [each["user"] for each in answer["unacknowledged"]] == ["hostile"]


async def test_the_stock_client_acknowledges(emitter: Emitter) -> None:
    """What a JavaScript client gives to its callback is what the caller is answered, by either transport."""
    for transports in (["websocket"], ["polling"]):
        auth = {"token": token("browser")}
        async with Listener(f"http://{emitter.address}", auth=auth, transports=transports) as listener:
            answer = await emit(emitter, payload="look", to=["user:browser"], ack_timeout_ms=10_000)
            assert [ack["answer"] for ack in answer["acks"]] == [[{"client": 0, "heard": "picture"}]]
            assert listener.client.messages("picture") == ["look"]
        await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="the client is gone")


async def test_everyone_can_be_asked(emitter: Emitter) -> None:
    """Without `to` every socket is asked, and there is nobody who could be missing."""
    async with emitter.client() as client:
        await client.welcome()
        sending = asyncio.create_task(emit(emitter, ack_timeout_ms=10_000))
        number, _ = await client.asked()
        await client.acknowledge(number)
        answer = await sending
        assert [(ack["user"], ack["answer"]) for ack in answer["acks"]] == [(None, [])]
        assert "not_connected" not in answer


@pytest.mark.parametrize("ack_timeout_ms", [0, 60_001, "soon"])
async def test_a_wait_has_bounds(emitter: Emitter, ack_timeout_ms: object) -> None:
    """A caller waits for a minute at most."""
    answer = await emitter.http.post(EMIT_PATH, json={"event": "x", "ack_timeout_ms": ack_timeout_ms})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "ack_timeout_ms"


@pytest.mark.parametrize(
    ("bad", "said"), [("nonsense", "not valid"), (token("ann", exp=1), "expired"), (token("a b"), "sub"), (7, "string")]
)
async def test_a_bad_token_is_refused_with_the_reason(emitter: Emitter, bad: object, said: str) -> None:
    """A client whose token proves nothing is not taken for somebody without one."""
    async with emitter.client({"token": bad}) as client:
        refusal = await client.refused()
    [error] = refusal["data"]["errors"]
    assert error["field"] == "token"
    assert said in error["message"]
    assert str(bad) not in json.dumps(refusal) or bad == 7
    assert not emitter.hub.subscriptions.everyone()


async def test_rooms_are_joined_by_token_alone(emitter: Emitter) -> None:
    """Nobody hears what is for somebody else by asking for it."""
    for room in ("user:ann", "device:ann"):
        async with emitter.client({"topics": [room]}) as client:
            assert (await client.refused())["data"]["errors"][0]["field"] == "topics.0"
        async with emitter.client({"token": token("bob")}) as client:
            await client.welcome()
            assert (await client.call("subscribe", {"topics": [room]}))["error"]["status"] == 422
            assert (await emit(emitter, to=[room])) == {"reached": 0, "not_connected": [room]}


async def test_devices_share_their_set_of_topics(emitter: Emitter) -> None:
    """However many have a token of their own, they are given the same part of a batch."""
    async with device(emitter, "a"), device(emitter, "b"):
        assert {each.topics for each in emitter.hub.subscriptions.everyone()} == {frozenset({"products"})}


async def test_a_token_where_none_are_known_is_refused() -> None:
    """A client that thinks it is somebody is told that it is nobody here."""
    async with Emitter.running() as emitter:
        await emitter.open()
        async with emitter.client({"token": token("ann")}) as client:
            refusal = await client.refused()
            assert refusal["data"]["status"] == 401
            assert "STORECAST_JWT_SECRET" in refusal["data"]["detail"]
