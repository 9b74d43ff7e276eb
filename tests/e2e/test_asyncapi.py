"""What is really said, held to the AsyncAPI document that the emitter serves: by everyone, both ways."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from shared.settings import ServiceSettings
from tests.contract import Contract
from tests.listening import SOCKET_PATH, Listener
from tests.mongod import Mongod, unused_database
from tests.system import System
from tests.tokens import JWT_SECRET, token
from tests.wiretap import Wiretap

TOPICS = ["products", "chat:lobby"]
# Whichever of them comes later: on a busy machine a token may end before much was said.
LAST = {"resync", "token_expired"}
# Long enough to come with it.
_ENDS_IN_S = 6


@pytest.fixture
async def system(mongod: Mongod, tmp_path: Path) -> AsyncIterator[System]:
    url = mongod.url(unused_database())
    async with System.running(tmp_path, url, 1, auth="off", jwt_secret=SecretStr(JWT_SECRET)) as system:
        yield system


async def test_all_that_is_said_is_in_the_document(system: System) -> None:
    """Each message of each channel is really heard, and is what the document says: none is left over."""
    contract = Contract((await system.http.get(f"{SOCKET_PATH}/asyncapi.json")).json())
    bearer = {"Authorization": f"Bearer {ending()}"}
    async with (
        sse(system, bearer) as hear_sse,
        raw(system, bearer) as websocket,
        Wiretap.running(system.sockets_url) as tap,
        Listener(tap.url, transports=["websocket"], auth={"topics": ["products"], "token": token("ann")}) as listener,
    ):
        await said_by_clients(listener)
        await said_by_programs(system)
        await changed(system)
        await listener.client.received("resync")
        listener.drop()
        await listener.client.welcomed(2)
        await refused_at_the_door(tap)
        await expires(listener)

        names: set[str] = set()
        while not names >= LAST:
            fields, data = await hear_sse()
            contract.hold_object("sse", data, fields)
            names.add(data["event"])
        names.clear()
        while not names >= LAST:
            data = json.loads(await websocket.recv())
            contract.hold_object("raw", data)
            names.add(data["event"])
    await refused_listeners(system, contract)

    contract.hold_packets(tap.packets)
    assert contract.messages - contract.seen == set(), "nobody has heard these"
    connects = [packet.text for packet in tap.packets if packet.is_of_client and packet.text.startswith("40")]
    assert any('"pid"' in text and '"offset"' in text for text in connects), "the stock client has come back"


def ending() -> str:
    """Return a token that is about to end, so that who has it is told at once: a part of the leeway is left."""
    leeway_s = ServiceSettings.model_fields["jwt_leeway_seconds"].default
    return token("ann", exp=int(time.time()) - leeway_s + _ENDS_IN_S)


async def said_by_clients(listener: Listener) -> None:
    """Ask for everything that can be asked, rightly and wrongly."""
    await listener.emit("subscribe", {"topics": TOPICS, "after": "another:1"})
    await listener.emit("subscribe", {"topics": ["user:bob"]})
    await listener.emit("publish", {"topic": "chat:lobby", "event": "line", "payload": {"text": "hello"}})
    await listener.emit("publish", {"topic": "chat:lobby", "event": "welcome"})
    await listener.emit("publish", {"topic": "news:today", "event": "line"})
    await listener.emit("unsubscribe", {"topics": ["category:books"]})
    await listener.emit("unsubscribe", {"topics": []})
    await listener.emit("authenticate", {"token": token("ann")})
    await listener.emit("authenticate", {"token": "nonsense"})
    await listener.emit("sing")
    await listener.client.received("line")


async def said_by_programs(system: System) -> None:
    """Send a message through the API, which is acknowledged."""
    asked = {"event": "show", "payload": {"picture": 7}, "to": ["user:ann", "topic:products"], "ack_timeout_ms": 20_000}
    answer = await system.http.post("/messages", json=asked)
    assert answer.json()["acks"], answer.text


async def changed(system: System) -> None:
    """Have all happen to products that can, to the last that cannot be told."""
    product = await system.create("Moka pot", category="kitchen", tags=["coffee"], stock=12)
    url = f"/products/{product['id']}"
    assert (await system.http.patch(url, json={"price": "19.90"})).status_code == httpx.codes.OK
    assert (await system.http.delete(url)).status_code == httpx.codes.NO_CONTENT
    with closing(AsyncIOMotorClient[dict[str, Any]](system.mongo_url)) as mongo:
        await mongo.get_default_database()["products"].drop()


async def expires(listener: Listener) -> None:
    """Have a socket's token expire."""
    await listener.emit("authenticate", {"token": ending()})
    await listener.client.received("token_expired")


async def refused_at_the_door(tap: Wiretap) -> None:
    """Come with what is no handshake, and with a token that proves nothing."""
    for auth in ({"topics": "products"}, {"token": "nonsense"}):
        async with connect(
            f"{tap.url.replace('http', 'ws')}{SOCKET_PATH}/?EIO=4&transport=websocket", proxy=None
        ) as client:
            await client.recv()
            await client.send(f"40{json.dumps(auth)}")
            assert str(await client.recv()).startswith("44")


async def refused_listeners(system: System, contract: Contract) -> None:
    """Ask for a topic that there is not, without Socket.IO."""
    answer = await system.http.get(f"{SOCKET_PATH}/sse?topics=nonsense")
    contract.hold("sse", "refused", answer.json())
    with pytest.raises(InvalidStatus) as refusal:
        async with raw(system, {}, "?topics=nonsense"):
            pass
    contract.hold("raw", "refused", json.loads(refusal.value.response.body or b""))


@asynccontextmanager
async def sse(
    system: System, headers: dict[str, str]
) -> AsyncIterator[Callable[[], Awaitable[tuple[dict[str, str], Any]]]]:
    """Listen; what is returned waits for the next event, its fields and its data."""
    url = f"{SOCKET_PATH}/sse?topics={','.join(TOPICS)}"
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(system.http.stream("GET", url, headers=headers))
        lines = response.aiter_lines()

        async def event() -> tuple[dict[str, str], Any]:
            fields: dict[str, str] = {}
            while True:
                line = await anext(lines)
                if not line and "data" in fields:
                    return fields, json.loads(fields.pop("data"))
                name, _, value = line.partition(": ")
                if name in {"id", "event", "data"}:
                    fields[name] = value

        yield event


def raw(system: System, headers: dict[str, str], query: str = f"?topics={','.join(TOPICS)}") -> connect:
    """Listen by a plain websocket."""
    url = f"{system.sockets_url.replace('http', 'ws')}{SOCKET_PATH}/raw{query}"
    return connect(url, additional_headers=headers, proxy=None)
