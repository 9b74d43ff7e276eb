"""Clients that talk: `publish` and its rules."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.rooms import RESERVED_EVENTS
from tests.integration.emitter import Emitter, RawClient
from tests.limits import limited
from tests.listening import Listener
from tests.tokens import JWT_SECRET, token

LOBBY = "chat:lobby"
SENDERS = 5
MESSAGES = 40


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running(client_topics=["chat:*", "room:one"], jwt_secret=JWT_SECRET) as emitter:
        await emitter.open()
        yield emitter


@contextlib.asynccontextmanager
async def joined(emitter: Emitter, *topics: str, **auth: Any) -> AsyncIterator[RawClient]:
    async with emitter.client({"topics": topics or [LOBBY], **auth}) as client:
        await client.welcome()
        yield client


def said(text: object, topic: str = LOBBY, event: str = "message") -> dict[str, Any]:
    return {"topic": topic, "event": event, "payload": text}


async def test_who_is_subscribed_hears_it(emitter: Emitter) -> None:
    """All subscribers of the topic hear it, the sender too; `meta` says who said it, where, and by which emitter."""
    async with (
        joined(emitter, token=token("ann")) as ann,
        joined(emitter) as bob,
        joined(emitter, "chat:elsewhere") as other,
    ):
        await ann.send("421" + json.dumps(["publish", said({"text": "hi"})]))
        meta = {"topic": LOBBY, "from": {"sid": ann.sid, "user": "ann"}, "node": "emitter-1"}
        assert await ann.event() == ["message", {"text": "hi"}, meta]
        assert await ann.receive() == '431[{"reached":2}]'
        assert await bob.event() == ["message", {"text": "hi"}, meta]
        assert await bob.call("publish", said("to nobody", "room:one")) == {"reached": 0}
        assert await other.call("unsubscribe", {"topics": ["chat:elsewhere"]}) == {"topics": []}


async def test_the_stock_client_publishes(emitter: Emitter) -> None:
    """With two lines of JavaScript: emit, and on; the handshake may name the topic too."""
    async with Listener(f"http://{emitter.address}", count=2, auth={"topics": ["products", LOBBY]}) as listener:
        assert await listener.emit("publish", said("hi")) == [{"reached": 2}]
        assert await listener.clients[1].received("message") == ["hi"]


@pytest.mark.parametrize(
    "topic", ["products", "category:toys", "user:ann", "room:two", "chat:", "chat", "chat:a b", "*"]
)
async def test_only_what_is_permitted_can_be_talked_on(emitter: Emitter, topic: str) -> None:
    """What the setting does not name is forbidden, and so are names that no topic has."""
    async with joined(emitter) as client:
        answer = await client.call("publish", said("x", topic))
        assert answer["error"]["status"] == 403
        assert "STORECAST_CLIENT_TOPICS" in answer["error"]["detail"]


async def test_topics_of_clients_are_topics_only_where_they_are_permitted() -> None:
    """An emitter without the setting knows none of them."""
    async with Emitter.running() as emitter:
        await emitter.open()
        async with emitter.client() as client:
            await client.welcome()
            assert (await client.call("subscribe", {"topics": [LOBBY]}))["error"]["status"] == 422
            assert (await client.call("publish", said("x")))["error"]["status"] == 403


@pytest.mark.parametrize("event", sorted(RESERVED_EVENTS))
async def test_reserved_names_are_refused(emitter: Emitter, event: str) -> None:
    """No client can seem to be the catalogue, or break off another's connection."""
    async with joined(emitter) as client:
        answer = await client.call("publish", said("x", event=event))
        assert answer["error"]["status"] == 422
        assert answer["error"]["errors"][0]["field"] == "event"


@pytest.mark.parametrize(
    "request_",
    [None, [], {}, said("x", event=""), said("x", event="x" * 101), {**said("x"), "to": "*"}, {"topic": 1, "event": 2}],
)
async def test_a_malformed_message_is_answered(emitter: Emitter, request_: object) -> None:
    """A client hears what is wrong, and stays connected."""
    async with joined(emitter) as client:
        assert (await client.call("publish", request_))["error"]["status"] == 422
        await client.send("421" + json.dumps(["publish", said("still here")]))
        assert (await client.event())[1] == "still here"


async def test_what_json_has_no_room_for_is_refused(emitter: Emitter) -> None:
    """Binary data and deep nesting end neither the connection nor another's."""
    async with joined(emitter) as client:
        await client.send('451-1["publish",{"topic":"chat:lobby","event":"x","payload":{"_placeholder":true,"num":0}}]')
        await client.websocket.send(b"\0")
        assert "binary" in await client.receive()
        deep = json.dumps(["publish", said("PAYLOAD")]).replace('"PAYLOAD"', "[" * 900 + "]" * 900)
        await client.send("421" + deep)
        assert '"status":422' in await client.receive()


async def test_each_senders_order_is_kept() -> None:
    """Whatever five clients say at the same time, each of them is heard in the order in which it spoke."""
    async with (
        Emitter.running(client_topics=["chat:*"], client_messages_per_second=1_000) as emitter,
        contextlib.AsyncExitStack() as stack,
    ):
        await emitter.open()
        listener = await stack.enter_async_context(joined(emitter))
        senders = [await stack.enter_async_context(joined(emitter, "chat:none")) for _ in range(SENDERS)]
        await asyncio.gather(*[speak(sender, number) for number, sender in enumerate(senders)])
        heard = [(await listener.event())[1] for _ in range(SENDERS * MESSAGES)]
    for sender in range(SENDERS):
        assert [number for name, number in heard if name == sender] == list(range(MESSAGES))


async def speak(client: RawClient, name: int) -> None:
    for number in range(MESSAGES):
        await client.send("42" + json.dumps(["publish", said([name, number])]))


@pytest.mark.usefixtures("still_windows")
async def test_who_talks_too_fast_is_told(emitter: Emitter) -> None:
    """Twice the rate may come at once; what is more is refused, counted, and of this one client alone."""
    before = limited("messages")
    async with joined(emitter, "chat:none") as client, joined(emitter, "chat:none") as other:
        answers = [await client.call("publish", said(number)) for number in range(25)]
        refused = [answer for answer in answers if "error" in answer]
        assert len(refused) == 5
        assert {answer["error"]["status"] for answer in refused} == {429}
        assert "error" in answers[-1]
        assert await other.call("publish", said("x")) == {"reached": 0}
        assert limited("messages") == before + len(refused)
