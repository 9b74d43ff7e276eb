"""What the event path promises while its parts are stopped, killed and gone around."""

import asyncio
import signal
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from pymongo import MongoClient

from tests.listening import Listener
from tests.system import EMITTER, System
from tests.waiting import eventually

STOPPED_S = 10


async def log_of(storecast: System, after: str | None) -> list[dict[str, Any]]:
    """Read the event log over HTTP from an offset on."""
    events: list[dict[str, Any]] = []
    while True:
        query: dict[str, str] = {"limit": "1000", **({"after": after} if after else {})}
        page = (await storecast.http.get("/events", params=query)).json()
        if not page["events"]:
            return events
        events += page["events"]
        after = page["next"]


async def end_of_log(storecast: System) -> str:
    """Return the offset of the newest event."""
    async with Listener(storecast.url) as listener:
        [welcome] = await listener.client.welcomed()
        return str(welcome["position"])


async def test_two_that_both_believe_to_lead_number_nothing_twice(storecast: System) -> None:
    """A leader that was stopped for 10 s and goes on leaves no gap, no double, and no second event under a number."""
    begin = await end_of_log(storecast)
    leader = await storecast.leader()
    others = [url for name, url in storecast.api_urls.items() if name != leader]
    created = 0
    async with Listener(storecast.url) as listener:
        stopped = storecast.processes[leader]
        stopped.send(signal.SIGSTOP)
        deadline = asyncio.get_running_loop().time() + STOPPED_S
        while asyncio.get_running_loop().time() < deadline:
            answer = await storecast.http.post(
                f"{others[created % 2]}/products", json={"name": f"{created}", "price": "1"}
            )
            assert answer.status_code == 201
            created += 1
            await asyncio.sleep(0.02)
        stopped.send(signal.SIGCONT)
        for _ in range(50):
            await storecast.create(str(created))
            created += 1
        heard = await listener.client.heard(created)
    assert [event.payload["name"] for event in heard] == [str(number) for number in range(created)]
    log = await log_of(storecast, begin)
    first = int(begin.partition(":")[2]) + 1
    assert [event["seq"] for event in log] == list(range(first, first + created))
    assert len({event["id"] for event in log}) == created


async def test_what_another_program_inserts_while_all_replicas_are_down_is_heard(storecast: System) -> None:
    """10,000 products imported straight into MongoDB are all heard once the replicas are up, in the order of commit."""
    documents = [{"_id": ObjectId(), "name": f"import {n}", "price": Decimal128("1.00")} for n in range(10_000)]
    async with Listener(storecast.url) as listener:
        for name in storecast.api_urls:
            await storecast.kill(name)
        await asyncio.to_thread(_import, storecast.mongo_url, documents)
        await storecast.restore()
        heard = await listener.client.heard(10_000)
    assert [event.payload["id"] for event in heard] == [str(document["_id"]) for document in documents]
    assert len({event.seq for event in heard}) == 10_000


def _import(url: str, documents: list[dict[str, Any]]) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        client.get_default_database()["products"].insert_many(documents)


async def test_what_is_undelivered_is_seen_in_readyz(storecast: System) -> None:
    """While the emitter is away the API stays ready and says how much is undelivered; then it is nothing again."""
    await storecast.kill(EMITTER)
    await storecast.create_many(3)

    async def undelivered() -> dict[str, Any] | None:
        answer = await storecast.http.get("/readyz")
        assert answer.status_code == 200
        return answer.json() if answer.json()["undelivered_events"] == 3 else None

    waiting = await eventually(undelivered, message="3 events are undelivered")
    assert waiting["undelivered_age_s"] > 0
    await storecast.restore()

    async def nothing() -> bool:
        return bool((await storecast.http.get("/readyz")).json()["undelivered_events"] == 0)

    await eventually(nothing, message="nothing is undelivered")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_the_emitters_clients_are_complete_after_its_restart(storecast: System, how: signal.Signals) -> None:
    """An emitter that ends, in order or not, costs its clients nothing: they come back and hear what they missed."""
    async with Listener(storecast.url, count=5, reconnectionDelayMax=1000) as listener:
        await storecast.create("before")
        for client in listener.clients:
            await client.heard(1)
        storecast.processes[EMITTER].send(how)
        await storecast.processes[EMITTER].ended()
        await storecast.create_many(20)
        storecast.start(EMITTER)
        await storecast.create("after")
        for client in listener.clients:
            heard = await client.heard(22)
            assert [event.payload["name"] for event in heard] == [
                "before",
                *(f"product {number}" for number in range(20)),
                "after",
            ]
            assert client.messages("welcome")[-1]["recovered"] is True
