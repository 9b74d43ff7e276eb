"""What a stock client hears when it comes back, whatever happened meanwhile."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import httpx
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from shared.emitter_api import EVENTS_PATH, Batch
from shared.events import Event, Position
from tests.listening import Listener
from tests.system import EMITTER, System
from tests.waiting import eventually

T = TypeVar("T")
Backup = dict[str, list[dict[str, Any]]]

PRODUCTS = 3_000
BATCH = 60
DROPS = 4
# Together they are more than may wait for one client.
DESCRIPTION = "x" * 1_000
SOON = {"reconnectionDelay": 200, "reconnectionDelayMax": 200, "randomizationFactor": 0}


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_that_drops_while_thousands_are_created(storecast: System, transport: str) -> None:
    """It hears each of them once, in order, and calls itself recovered each time that it comes back.

    And who asks for all of them with `after` is sent all of them, though they are more than may wait for one client.
    """
    created: list[str] = []
    returned = asyncio.Event()

    async def create_all() -> None:
        while len(created) < PRODUCTS or not returned.is_set():
            created.extend(await create_batch(storecast, len(created)))

    async def another_is_created() -> None:
        before = len(created)
        await eventually(lambda: len(created) > before, message="another batch is created")

    async with Listener(storecast.url, transports=[transport], **SOON) as listener:
        client = listener.client
        creating = asyncio.create_task(create_all())
        for drop in range(1, DROPS + 1):
            await client.heard(drop * PRODUCTS // (DROPS + 3))
            listener.leave()
            await client.dropped(drop)
            await another_is_created()
            listener.enter()
            await client.welcomed(drop + 1)
        returned.set()
        await creating
        heard = await client.heard(len(created))
    assert [event.payload["id"] for event in heard] == created
    assert [connect["recovered"] for connect in client.of("connect")] == [False] + [True] * DROPS
    assert all(welcome["replayed"] for welcome in client.messages("welcome")[1:])
    async with Listener(storecast.url, transports=[transport], auth={"after": heard[0].offset}) as late:
        replayed = await late.client.heard(len(created) - 1)
    assert [event.payload["id"] for event in replayed] == created[1:]


async def create_batch(storecast: System, first: int) -> list[str]:
    items = [
        {"product": {"name": str(first + number), "price": "1", "description": DESCRIPTION}} for number in range(BATCH)
    ]
    answer = await storecast.http.post("/products/batch", json={"items": items})
    assert answer.is_success, answer.text
    return [item["product"]["id"] for item in answer.json()["results"]]


async def test_a_client_ahead_of_its_emitter_is_sent_nothing_twice(storecast: System) -> None:
    """A relay that was slow opens a new emitter with an old end of the log; its clients have heard more than that."""
    apis = [storecast.processes[name] for name in storecast.api_urls]
    async with Listener(storecast.url, **SOON) as listener:
        client = listener.client
        products = await storecast.create_many(6)
        heard = await client.heard(6)
        page = (await storecast.http.get("/events", params={"after": heard[0].offset})).json()
        for api in apis:
            api.send(signal.SIGSTOP)
        try:
            await storecast.kill(EMITTER)
            storecast.start(EMITTER)
            await hand_over(storecast, [Event.model_validate(event) for event in page["events"][:2]], heard[0].offset)
            behind = (await client.welcomed(2))[1]
        finally:
            for api in apis:
                api.send(signal.SIGCONT)
        products.append(await storecast.create("after"))
        heard = await client.heard(7)
    assert behind["position"] == heard[2].offset
    assert (behind["recovered"], behind["replayed"]) == (True, 0)
    assert [event.payload for event in heard] == products


async def hand_over(storecast: System, events: list[Event], after: str) -> None:
    """Hand history over to an emitter that has just been started, and close with its last event, as a relay does."""
    epoch = Position.parse(after).epoch
    headers = {"Authorization": f"Bearer {storecast.secret}"}

    async def listens() -> bool:
        with suppress(httpx.TransportError):
            return (await storecast.http.get(f"{storecast.emitter_url}/livez")).is_success
        return False

    await eventually(listens, message="the emitter listens")
    batch = Batch(epoch=epoch, events=events, history=True, position=events[-1].seq)
    url = f"{storecast.emitter_url}{EVENTS_PATH}"
    answer = await storecast.http.post(url, content=batch.model_dump_json(), headers=headers)
    assert answer.json() == {"epoch": epoch, "position": events[-1].seq}


def wipe(database: Database[dict[str, Any]], _: Backup) -> None:
    database.client.drop_database(database.name)


def restore(database: Database[dict[str, Any]], backup: Backup) -> None:
    """Bring the collections back to what they were, each dropped first, as `mongorestore --drop` does."""
    for name, documents in backup.items():
        database[name].drop()
        database[name].insert_many(documents)


@pytest.mark.parametrize("replace", [wipe, restore])
async def test_a_database_that_is_replaced_under_a_running_emitter(
    storecast: System, replace: Callable[[Database[dict[str, Any]], Backup], None]
) -> None:
    """No client goes on as if nothing had happened: it is told, no offset is used twice, and what is new is heard."""
    async with Listener(storecast.url, **SOON) as listener:
        client = listener.client
        await storecast.create_many(3)
        await client.heard(3)
        backup = await asyncio.to_thread(in_database, storecast.mongo_url, back_up)
        await storecast.create_many(3)
        await client.heard(6)
        before = len(client.lines)
        for name in storecast.api_urls:
            await storecast.kill(name)  # else the leader would go on with the numbers that it has in memory
        await asyncio.to_thread(in_database, storecast.mongo_url, lambda database: replace(database, backup))
        await storecast.restore()

        def told() -> bool:
            return any(tells_to_read_anew(line) for line in client.lines[before:])

        async def hears_again() -> bool:
            # What is created while the client is on its way back, it was told to read.
            product = await storecast.create("after")
            with suppress(AssertionError):
                await eventually(lambda: product in client.messages("new_product"), message="", timeout_s=1)
                return True
            return False

        await eventually(told, message="the client is told")
        await eventually(hears_again, message="a new product is heard")
        heard = client.numbered
    contents = {(event.offset, event.meta["id"]) for event in heard}
    assert len(contents) == len({offset for offset, _ in contents}) == len(heard)


def tells_to_read_anew(line: dict[str, Any]) -> bool:
    event = line.get("event")
    return event == "resync" or (event == "welcome" and line["args"][0]["recovered"] is False)


def back_up(database: Database[dict[str, Any]]) -> Backup:
    return {name: list(database[name].find()) for name in ("products", "events", "feed")}


def in_database(url: str, act: Callable[[Database[dict[str, Any]]], T]) -> T:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        return act(client.get_default_database())
