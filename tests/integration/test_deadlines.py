import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api_service.settings import Settings
from tests.integration.drafts import DRAFT, create

KEY = {"Idempotency-Key": "k"}


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """A replica that soon gives up."""
    return api_settings.model_copy(update={"database_timeout_ms": 1_000})


async def never(*_: Any) -> None:
    """Stand in for a call whose own deadline lies beyond that of the request."""
    await asyncio.Event().wait()


@asynccontextmanager
async def hanging(app: FastAPI, call: str) -> AsyncIterator[None]:
    """Have one call of the repository hang."""
    repository = app.state.products._repository  # noqa: SLF001  # no database can be slow on demand
    setattr(repository, call, never)
    async with asyncio.timeout(30):
        yield


async def test_a_create_has_one_deadline(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """However many calls it takes, the caller has an answer in time."""
    await api.post("/products", json=DRAFT, headers=KEY)
    async with hanging(api_app, "find_by_key"):
        response = await api.post("/products", json=DRAFT, headers=KEY)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


async def test_a_patch_has_one_deadline(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """However often it has to be tried, the caller has an answer in time."""
    product = await create(api)
    async with hanging(api_app, "update"):
        response = await api.patch(f"/products/{product['id']}", json={"name": "new"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("call", ["find_by_keys", "insert"])
async def test_a_batch_has_one_deadline_and_tells_what_it_made(
    api: httpx.AsyncClient, api_app: FastAPI, call: str
) -> None:
    """What was made before the time ran out has its 201; what is unknown has a 503 of its own."""
    item = {"product": DRAFT, "idempotency_key": "k"}
    await api.post("/products", json=DRAFT, headers=KEY)
    if call == "insert":
        await _vanishes(api_app)
    async with hanging(api_app, call):
        response = await api.post("/products/batch", json={"items": [item, {"product": DRAFT}, {}, item]})
    assert response.status_code == 207
    results = response.json()["results"]
    assert [result["status"] for result in results] == [503, 201, 422, 503]
    assert results[0]["problem"]["status"] == 503


async def _vanishes(app: FastAPI) -> None:
    """Have no product be found under its key."""

    async def none(*_: Any) -> dict[str, Any]:
        return {}

    app.state.products._repository.find_by_keys = none  # noqa: SLF001  # the moment between two calls has to be hit


async def test_a_batch_of_which_nothing_is_known(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """If not even the insert was answered, the batch as a whole is 503."""
    async with hanging(api_app, "insert_many"):
        response = await api.post("/products/batch", json={"items": [{"product": DRAFT}]})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
