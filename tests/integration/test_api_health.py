import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from api_service import health
from api_service.database import Database
from api_service.products.schemas import Batch, ProductDraft
from api_service.relay.progress import Progress
from tests.integration.drafts import create
from tests.waiting import eventually


async def _count(api: httpx.AsyncClient, method: str, route: str, status: int) -> float:
    families = text_string_to_metric_families((await api.get("/metrics")).text)
    wanted = {"method": method, "route": route, "status": str(status)}
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "storecast_http_requests_total" and sample.labels == wanted
    )


async def test_a_process_that_runs_is_alive(shared_api: httpx.AsyncClient) -> None:
    """Liveness asks nobody."""
    response = await shared_api.get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_readiness_tells_who_leads_and_how_far_the_log_is(api: httpx.AsyncClient) -> None:
    """The emitter, which nobody can reach here, does not matter to it."""
    first = await api.get("/readyz")
    assert (first.status_code, first.json()["status"], first.json()["log_end"]) == (200, "ready", 0)
    await create(api)

    async def numbered() -> bool:
        health = (await api.get("/readyz")).json()
        return (health["status"], health["leader"], health["log_end"]) == ("ready", "api-under-test", 1)

    await eventually(numbered, message="the product is in the log", timeout_s=30)


async def test_readiness_is_told_in_time_however_many_calls_it_takes(
    api: httpx.AsyncClient, api_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database whose every answer comes just in time is away for a probe, which does not wait for all of them."""

    async def slow(_: Database) -> Progress:
        await asyncio.Event().wait()
        raise AssertionError("it was waited for")

    monkeypatch.setattr(health, "read_progress", slow)
    monkeypatch.setattr(api_app.state.database, "_timeout_s", 0.2)
    async with asyncio.timeout(30):
        response = await api.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable"})


async def test_a_database_that_was_wiped_is_prepared_again(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """It is empty, and ready: no restart is needed."""
    database: Database = api_app.state.database
    await create(api)
    await database.client.drop_database(database.handle.name)

    async def prepared() -> bool:
        response = await api.get("/readyz")
        assert response.status_code == 200
        return bool(response.json()["leader"])

    await eventually(prepared, message="somebody leads again", timeout_s=30)
    await create(api)


async def test_requests_are_counted_by_route(shared_api: httpx.AsyncClient) -> None:
    """Method, route and status; what has no route has no name of its own, since anybody may invent paths."""
    calls = [("GET", "/products/0123", "/products/{product_id}", 404), ("GET", "/invented", "none", 404)]
    for method, path, route, status in calls:
        before = await _count(shared_api, method, route, status)
        await shared_api.request(method, path)
        assert await _count(shared_api, method, route, status) == before + 1
    assert "invented" not in (await shared_api.get("/metrics")).text


async def test_a_fault_of_ours_is_counted(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """A 500 is what an operator wants to see first."""
    before = await _count(api, "GET", "/products", 500)
    api_app.state.products = None

    with pytest.raises(AttributeError):
        await api.get("/products")

    assert await _count(api, "GET", "/products", 500) == before + 1


async def test_metrics_are_prometheus_text(shared_api: httpx.AsyncClient) -> None:
    """With the counters that an operator needs to see whether events get through."""
    response = await shared_api.get("/metrics")

    assert response.headers["Content-Type"].startswith("text/plain")
    found = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"storecast_leader", "storecast_events_relayed", "storecast_relay_failures"} <= found


async def test_the_openapi_document_has_examples_that_work(shared_api: httpx.AsyncClient) -> None:
    """Whoever copies one gets a product."""
    document = (await shared_api.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]

    for example in schemas["ProductDraft"]["examples"]:
        assert ProductDraft.model_validate(example)
    for example in schemas["Batch"]["examples"]:
        assert Batch.model_validate(example).items
    assert set(document["paths"]["/products"]) == {"get", "post"}
    assert set(document["paths"]["/products/{product_id}"]) == {"get", "patch", "delete"}


async def test_the_documentation_can_be_read(shared_api: httpx.AsyncClient) -> None:
    """For people."""
    response = await shared_api.get("/docs")

    assert response.status_code == 200
    assert re.search(r"openapi\.json", response.text)
