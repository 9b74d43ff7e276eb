import asyncio
from typing import Any

import httpx
import pytest
from bson import ObjectId
from fastapi import FastAPI

from api_service.database import Collection
from tests.integration.drafts import DRAFT, create


@pytest.fixture
def stored(api_app: FastAPI) -> Collection:
    """The collection, as another program sees it."""
    collection: Collection = api_app.state.database.handle["products"]
    return collection


async def _post(api: httpx.AsyncClient, key: str, **fields: Any) -> httpx.Response:
    return await api.post("/products", json={**DRAFT, **fields}, headers={"Idempotency-Key": key})


async def test_a_retry_returns_the_same_product(api: httpx.AsyncClient, stored: Collection) -> None:
    """201, then 200 with the same answer; one document, therefore one event."""
    first, second = await _post(api, "k"), await _post(api, "k")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.headers["Location"] == second.headers["Location"]
    assert second.headers["ETag"] == '"1"'
    assert await stored.count_documents({}) == 1


async def test_a_retry_may_be_written_differently(api: httpx.AsyncClient, stored: Collection) -> None:
    """The same product in another order, with defaults spelt out, is the same request."""
    await _post(api, "k")

    retry = await api.post(
        "/products",
        content=b'{"stock": null, "price": "24.900", "name": " Moka pot", "currency": "USD"}',
        headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
    )

    assert retry.status_code == 200
    assert await stored.count_documents({}) == 1


@pytest.mark.parametrize("fields", [{"name": "other"}, {"price": "24.91"}, {"stock": 0}, {"currency": "EUR"}])
async def test_another_body_under_the_same_key(
    api: httpx.AsyncClient, stored: Collection, fields: dict[str, Any]
) -> None:
    """422 that names the key: a client has mixed up two requests, and must not get the wrong product."""
    await _post(api, "k")

    response = await _post(api, "k", **fields)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]
    assert await stored.count_documents({}) == 1


async def test_a_retry_after_a_change_returns_the_product_as_it_is_now(api: httpx.AsyncClient) -> None:
    """The body is held against the request that made it, not against what became of it."""
    made = (await _post(api, "k")).json()
    await api.patch(f"/products/{made['id']}", json={"name": "new"})

    retry = await _post(api, "k")

    assert (retry.status_code, retry.json()["name"], retry.headers["ETag"]) == (200, "new", '"2"')


async def test_keys_are_apart(api: httpx.AsyncClient, stored: Collection) -> None:
    """Another key, or none, is another request, however equal the bodies are."""
    for key in ("k", "K", "k2"):
        assert (await _post(api, key)).status_code == 201
    await create(api)
    await create(api)

    assert await stored.count_documents({}) == 5


async def test_a_key_is_free_again_after_its_product_is_gone(api: httpx.AsyncClient) -> None:
    """The key lives in the product itself."""
    first = await _post(api, "k")
    await api.delete(first.headers["Location"])

    second = await _post(api, "k", name="other")

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_the_same_request_many_times_at_once_makes_one_product(
    api: httpx.AsyncClient, stored: Collection
) -> None:
    """One 201, all others 200 with the same product: a unique index decides, not luck."""
    responses = await asyncio.gather(*(_post(api, "k") for _ in range(20)))

    assert sorted(response.status_code for response in responses) == [200] * 19 + [201]
    assert len({response.json()["id"] for response in responses}) == 1
    assert await stored.count_documents({}) == 1


async def test_creates_and_deletes_of_one_key_at_the_same_time(api: httpx.AsyncClient, stored: Collection) -> None:
    """Whatever the order, every answer is true: made, was there, or try again; never a fault, never two products."""

    async def come_and_go() -> None:
        for _ in range(10):
            response = await _post(api, "k")
            assert response.status_code in {200, 201, 503}, response.text
            assert await stored.count_documents({}) <= 1
            if response.status_code != 503:
                assert (await api.delete(response.headers["Location"])).status_code in {204, 404}

    await asyncio.gather(*(come_and_go() for _ in range(4)))


async def test_a_product_that_is_gone_when_it_is_looked_up_is_made_anew(
    api: httpx.AsyncClient, api_app: FastAPI
) -> None:
    """Between "the key is taken" and "by whom" the product may be deleted: then the key is free."""
    first = await _post(api, "k")
    repository = api_app.state.products._repository  # noqa: SLF001  # the moment between two calls has to be hit
    find_by_key = repository.find_by_key

    async def deleted_meanwhile(caller: str, key: str) -> Any:
        await repository.delete(ObjectId(first.json()["id"]))
        return await find_by_key(caller, key)

    repository.find_by_key = deleted_meanwhile
    second = await _post(api, "k")

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_a_key_whose_product_comes_and_goes_for_ever(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """After some tries it is 503, to be tried again: a request has an end."""
    await _post(api, "k")
    repository = api_app.state.products._repository  # noqa: SLF001  # another writer must win each race

    async def never_there(_caller: str, _key: str) -> None: ...

    repository.find_by_key = never_there
    response = await _post(api, "k")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    "foreign",
    [
        {"idempotency": {"caller": "anyone", "key": "k"}},
        {"idempotency": [{"caller": "anyone", "key": "k"}], "name": "x", "price": 1},
        {"idempotency": {"caller": "anyone", "key": "k", "fingerprint": 5}, "name": "x", "price": 1},
    ],
)
async def test_a_key_in_a_foreign_document_is_taken(
    api: httpx.AsyncClient, stored: Collection, foreign: dict[str, Any]
) -> None:
    """What another program put under a key was not made by this request: 422, not a fault."""
    await stored.insert_one(foreign)

    assert (await _post(api, "k")).status_code == 422


async def test_a_product_that_another_program_broke_is_not_given_back(
    api: httpx.AsyncClient, stored: Collection
) -> None:
    """A retry cannot return what is no product any more."""
    await _post(api, "k")
    await stored.update_one({}, {"$set": {"name": 5}})

    assert (await _post(api, "k")).status_code == 422


@pytest.mark.parametrize("key", [b"", b" ", b"a b", b"x" * 256, "é".encode(), b"\x7f"])
async def test_a_key_that_is_none(shared_api: httpx.AsyncClient, key: bytes) -> None:
    """1 to 255 printable characters of ASCII: anything else is 422 that names the header."""
    response = await shared_api.post("/products", json=DRAFT, headers={b"Idempotency-Key": key})

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]
    assert (await shared_api.get("/products")).json()["items"] == []


@pytest.mark.parametrize("key", ["k", "x" * 255, '{"$gt":""}', "$where"])
async def test_a_key_is_text(shared_api: httpx.AsyncClient, key: str) -> None:
    """An operator as a key is a key like any other."""
    await _post(shared_api, "other")

    assert [(await _post(shared_api, key)).status_code for _ in range(2)] == [201, 200]
