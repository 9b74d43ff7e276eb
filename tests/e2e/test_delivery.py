"""A change that was committed reaches every subscriber once, in commit order, whatever dies in between."""

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from tests.listening import Hearing, Listener, Listening, PythonListener
from tests.system import EMITTER, System
from tests.waiting import eventually

PRODUCTS = 300
SOON = {"reconnectionDelay": 200, "reconnectionDelayMax": 200, "randomizationFactor": 0}


class Audience(NamedTuple):
    """Products that were created one after the other, which replica made each, and who listened meanwhile."""

    products: list[dict[str, Any]]
    served_by: Counter[str]
    clients: list[Hearing]


@pytest.fixture(scope="module")
async def audience(shared_storecast: System) -> Audience:
    """Post products through the gateway while each kind of stock client listens."""
    await shared_storecast.restore()
    url = shared_storecast.url
    async with AsyncExitStack() as stack:
        listeners: list[Listening] = [
            Listener(url, transports=["websocket"]),
            Listener(url),
            Listener(url, transports=["polling"]),
            PythonListener(url),
        ]
        clients = [(await stack.enter_async_context(listener)).client for listener in listeners]
        responses = [
            await shared_storecast.http.post("/products", json={"name": f"product {number}", "price": f"{number}.50"})
            for number in range(PRODUCTS)
        ]
        for client in clients:
            await client.heard(PRODUCTS)
    return Audience(
        [response.json() for response in responses],
        Counter(response.headers["X-Served-By"] for response in responses),
        clients,
    )


@pytest.mark.parametrize("client", range(4), ids=["websocket", "default", "polling", "python"])
def test_every_client_hears_each_product_once_in_order(audience: Audience, client: int) -> None:
    """Every stock client, over every transport, hears what was created: each once, as it is, in order of `seq`."""
    heard = audience.clients[client].numbered

    assert [event.payload for event in heard] == audience.products
    assert {event.event for event in heard} == {"new_product"}
    assert [event.seq for event in heard] == consecutive(heard[0].seq, PRODUCTS)
    assert [event.offset.rpartition(":")[2] for event in heard] == [str(event.seq) for event in heard]


def test_requests_are_spread_over_the_replicas(audience: Audience, storecast: System) -> None:
    """The gateway gives each of the three replicas its share of the requests."""
    shares = {name: count / PRODUCTS for name, count in audience.served_by.items()}

    assert shares.keys() == storecast.api_urls.keys()
    assert all(0.25 <= share <= 0.41 for share in shares.values()), shares


async def test_updates_and_deletes_are_heard(storecast: System) -> None:
    """A patch is heard with the product as it became, a delete with the product as it was."""
    async with Listener(storecast.url) as listener:
        product = await storecast.create("to change")
        patched = await storecast.http.patch(f"/products/{product['id']}", json={"price": "1.25"})
        deleted = await storecast.http.delete(f"/products/{product['id']}")
        heard = await listener.client.heard(3)

    assert (patched.status_code, deleted.status_code) == (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
    assert patched.json()["price"] == "1.25"
    assert [(event.event, event.payload) for event in heard] == [
        ("new_product", product),
        ("product_updated", patched.json()),
        ("product_deleted", patched.json()),
    ]


async def test_a_category_is_heard_alone_and_so_is_a_product_that_leaves_it(storecast: System) -> None:
    """Who subscribed to a category hears its products, also one that moves away, and then no more of that one."""
    async with Listener(storecast.url, auth={"topics": ["category:lamps"]}) as listener:
        lamp = await storecast.create("a lamp", category="lamps")
        await storecast.create("a chair", category="chairs")
        moved = await storecast.http.patch(f"/products/{lamp['id']}", json={"category": "chairs"})
        await storecast.http.patch(f"/products/{lamp['id']}", json={"stock": 1})
        last = await storecast.create("another lamp", category="lamps")
        heard = await listener.client.heard(3)

    assert [(event.event, event.payload) for event in heard] == [
        ("new_product", lamp),
        ("product_updated", moved.json()),
        ("new_product", last),
    ]


async def test_topics_change_while_connected(storecast: System) -> None:
    """A client that subscribes hears the topic from its acknowledgement on, and no more after it has unsubscribed."""
    async with Listener(storecast.url, auth={"topics": ["category:lamps"]}) as listener:
        subscribed = await listener.emit("subscribe", {"topics": ["category:chairs"]})
        chair = await storecast.create("a chair", category="chairs")
        await listener.client.heard(1)
        unsubscribed = await listener.emit("unsubscribe", {"topics": ["category:chairs"]})
        await storecast.create("a chair in silence", category="chairs")
        lamp = await storecast.create("a lamp", category="lamps")
        heard = await listener.client.heard(2)

    assert [event.payload for event in heard] == [chair, lamp]
    assert all("error" not in answer for answer in (*subscribed, *unsubscribed))


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"], ["polling"]], ids="-".join)
@pytest.mark.parametrize("heard_before", [0, 3])
async def test_a_dropped_client_hears_what_it_missed(
    storecast: System, transports: list[str], heard_before: int
) -> None:
    """The stock client, with no code of its own, hears exactly what it missed, then goes on; `recovered` says so.

    That holds as well for a client that had heard nothing before its connection was cut.
    """
    async with Listener(storecast.url, transports=transports, **SOON) as listener:
        client = listener.client
        before = await storecast.create_many(heard_before)
        await client.heard(heard_before)
        listener.leave()
        await client.dropped()
        missed = await storecast.create_many(10)
        listener.enter()
        welcome = (await client.welcomed(2))[1]
        await client.heard(heard_before + len(missed))
        after = await storecast.create_many(3)
        heard = await client.heard(heard_before + len(missed) + len(after))

    assert [event.payload for event in heard] == before + missed + after
    assert [connect["recovered"] for connect in client.of("connect")] == [False, True]
    assert (welcome["recovered"], welcome["replayed"]) == (True, len(missed))


@pytest.mark.parametrize("language", ["javascript", "python"])
async def test_after_replays(storecast: System, language: str) -> None:
    """A client that was never connected hears everything after the offset in `auth.after`, then what is new."""
    async with Listener(storecast.url) as listener:
        products = await storecast.create_many(5)
        after = (await listener.client.heard(5))[0].offset
    late: Listening = (
        Listener(storecast.url, auth={"after": after})
        if language == "javascript"
        else PythonListener(storecast.url, after=after)
    )
    async with late:
        products.append(await storecast.create("new"))
        heard = await late.client.heard(5)
    welcome = late.client.messages("welcome")[0]

    assert [event.payload for event in heard] == products[1:]
    assert (welcome["recovered"], welcome["replayed"]) == (True, 4)


async def test_an_emitter_that_is_killed_loses_nothing(storecast: System) -> None:
    """Clients of an emitter that died come back to the new one and have heard everything once, in order."""
    async with Listener(storecast.url, count=2, **SOON) as listener, PythonListener(storecast.url) as python:
        clients = [*listener.clients, python.client]
        products = await storecast.create_many(15)
        await storecast.kill(EMITTER)
        products += await storecast.create_many(15)
        storecast.start(EMITTER)
        products += await storecast.create_many(20)
        for client in clients:
            await client.welcomed(2)
        products.append(await storecast.create("after all came back"))
        for client in clients:
            heard = await client.heard(len(products))
            assert [event.payload for event in heard] == products
            assert [event.seq for event in heard] == consecutive(heard[0].seq, len(products))
            assert client.messages("welcome")[1]["recovered"] is True


async def test_a_leader_that_is_killed_loses_and_doubles_nothing(storecast: System) -> None:
    """While products are created, the replica that numbers them dies; each is heard once, numbers stay without gaps."""
    leader = await storecast.leader()
    async with Listener(storecast.url, count=2) as listener:
        creating = asyncio.gather(*(create_whatever_happens(storecast, f"product {n}", n * 0.02) for n in range(150)))
        for client in listener.clients:
            await client.heard(20)
        await storecast.kill(leader)
        products = await creating
        last = await storecast.create("after the change of leaders")
        for client in listener.clients:
            heard = await client.heard(len(products) + 1)
            assert sorted(event.payload["id"] for event in heard[:-1]) == sorted(product["id"] for product in products)
            assert heard[-1].payload == last
            assert [event.seq for event in heard] == consecutive(heard[0].seq, len(products) + 1)
    assert await storecast.leader() != leader


async def test_a_rolling_restart_loses_and_doubles_nothing(storecast: System) -> None:
    """Each process is stopped by SIGTERM, exits with 0 and is started again; every create meanwhile is heard once."""
    stopping = asyncio.Event()

    async def keep_creating() -> list[dict[str, Any]]:
        products = []
        while not stopping.is_set():
            products.append(await create_whatever_happens(storecast, "product", delay_s=0.1))
        return products

    async with Listener(storecast.url, count=2) as listener:
        creating = asyncio.create_task(keep_creating())
        for name in (*storecast.api_urls, EMITTER):
            assert await storecast.restart(name) == 0, name
            await storecast.ready()
        stopping.set()
        products = await creating
        for client in listener.clients:
            heard = await client.heard(len(products))
            assert [event.payload for event in heard] == products
            assert [event.seq for event in heard] == consecutive(heard[0].seq, len(products))


async def create_whatever_happens(storecast: System, name: str, delay_s: float) -> dict[str, Any]:
    """Create one product; where the replica died under the request, ask again under the same key."""
    await asyncio.sleep(delay_s)
    headers = {"Idempotency-Key": secrets.token_hex(8)}

    async def created() -> dict[str, Any] | None:
        response = await storecast.http.post("/products", json={"name": name, "price": "1.00"}, headers=headers)
        return dict(response.json()) if response.is_success else None

    return await eventually(created, message=f"{name} is created")


def consecutive(first: int, count: int) -> list[int]:
    """Return so many numbers without a gap."""
    return list(range(first, first + count))
