from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from shared.emitter_api import Batch
from tests.events import event
from tests.integration.cluster import emitters
from tests.integration.drafts import create
from tests.integration.emitter import Emitter
from tests.integration.listeners import Curl
from tests.redis_server import RedisServer
from tests.waiting import eventually


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    """An emitter with the events 1 to 3."""
    async with Emitter.running() as emitter:
        await emitter.open_with(3)
        yield emitter


async def _value(http: httpx.AsyncClient, name: str, **labels: str) -> float:
    text = (await http.get("/metrics")).text
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return next(sample.value for sample in found if (sample.name, sample.labels) == (name, labels))


async def test_open_transports_are_told_apart(emitter: Emitter) -> None:
    """Websockets, long-polling, server-sent events, plain websockets: each counts as what it is, while it lasts."""
    transports = ("websocket", "polling", "sse", "raw")
    address = f"ws://{emitter.address}/websocket-service/raw"
    async with emitter.client(), Curl.listening(emitter) as curl, connect(address, proxy=None):
        await curl.block()
        opened = await emitter.http.get("/websocket-service/", params={"EIO": "4", "transport": "polling"})
        assert opened.status_code == 200

        async def counted() -> bool:
            counts = {each: await _value(emitter.http, "storecast_sessions", transport=each) for each in transports}
            return counts == dict.fromkeys(transports, 1)

        await eventually(counted, message="each is counted once")

    async def gone() -> bool:
        return await _value(emitter.http, "storecast_sessions", transport="websocket") == 0

    await eventually(gone, message="the websocket is not counted any more")


async def test_who_comes_back_is_counted_by_whether_it_was_recovered(emitter: Emitter) -> None:
    """Apart from those that are new: `recovered=false` among those that came back is a history that is too short."""

    async def counted() -> tuple[float, float]:
        name = "storecast_reconnects_total"
        return await _value(emitter.http, name, recovered="true"), await _value(emitter.http, name, recovered="false")

    recovered, lost = await counted()
    for auth in ({}, {"after": "e1:1"}, {"after": "e0:1"}, {"pid": "e1:2:secret"}):
        async with emitter.client(auth) as client:
            await client.welcome()

    assert await counted() == (recovered + 2, lost + 1)


async def test_the_way_from_the_commit_is_measured_once_for_each_event(emitter: Emitter) -> None:
    """However many hear it; and one without a time that can be read is delivered, and not measured."""
    name = "storecast_delivery_lag_seconds"
    before = await _value(emitter.http, f"{name}_count"), await _value(emitter.http, f"{name}_sum")
    now = datetime.now(UTC).isoformat()
    timed, untimed = event(4).model_copy(update={"time": now}), event(5).model_copy(update={"time": "soon"})
    async with emitter.client() as one, emitter.client() as other:
        for each in (one, other):
            await each.welcome()
        assert (await emitter.post(Batch(epoch="e1", events=[timed, untimed]))).status_code == 200
        assert [await each.seqs(2) for each in (one, other)] == [[4, 5]] * 2

    count, seconds = (
        await _value(emitter.http, f"{name}_count") - before[0],
        await _value(emitter.http, f"{name}_sum") - before[1],
    )
    assert count == 1
    assert 0 < seconds < 5


async def test_the_state_is_what_readiness_says() -> None:
    """One of the states is 1: waiting without a history, then ready, and draining once it is asked to."""
    states = ("waiting", "ready", "deaf", "draining")
    async with Emitter.running() as emitter:

        async def state() -> list[str]:
            name = "storecast_emitter_state"
            return [each for each in states if await _value(emitter.http, name, state=each)]

        assert await state() == ["waiting"]
        await emitter.open_with(3)
        assert await state() == ["ready"]
        await emitter.http.post("/drain")
        assert await state() == ["draining"]


async def test_an_emitter_that_hears_itself_no_more_tells_for_how_long(redis: RedisServer) -> None:
    """Its hearing age is under two heartbeats, and grows while Redis is away; a lone emitter's is 0."""
    async with emitters(1, redis.url) as [emitter]:

        async def young() -> bool:
            return await _value(emitter.http, "storecast_hearing_age_seconds") < 2

        await eventually(young, message="it hears itself")
        await redis.kill()

        async def old() -> bool:
            return await _value(emitter.http, "storecast_hearing_age_seconds") > 2

        await eventually(old, message="it has not heard itself")
    async with Emitter.running() as alone:
        assert await _value(alone.http, "storecast_hearing_age_seconds") == 0


async def test_writes_and_what_became_of_them_are_counted(api: httpx.AsyncClient) -> None:
    """Each product that is made, changed or deleted; and each change that was numbered, with how late that was."""
    operations = ("create", "update", "delete")

    async def writes() -> list[float]:
        return [await _value(api, "storecast_product_writes_total", operation=each) for each in operations]

    before, numbered = await writes(), await _value(api, "storecast_numbering_lag_seconds_count")
    product = await create(api)
    await api.post("/products/batch", json={"items": [{"product": {"name": "a", "price": "1"}}, {"product": {}}]})
    await api.patch(f"/products/{product['id']}", json={"stock": 3})
    await api.patch(f"/products/{product['id']}", json={"stock": 3})
    await api.delete(f"/products/{product['id']}")
    await api.delete(f"/products/{product['id']}")

    assert [now - then for now, then in zip(await writes(), before, strict=True)] == [2, 1, 1]

    async def all_numbered() -> bool:
        return await _value(api, "storecast_numbering_lag_seconds_count") == numbered + 4

    await eventually(all_numbered, message="all changes are numbered", timeout_s=30)


async def test_the_event_loop_of_both_services_is_watched(api: httpx.AsyncClient, emitter: Emitter) -> None:
    """A lone emitter's too, which has no heartbeat."""
    assert await _value(api, "storecast_loop_lag_seconds") >= 0
    assert await _value(emitter.http, "storecast_loop_lag_seconds") >= 0
