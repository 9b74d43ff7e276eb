import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api_service.database import Collection, Database
from api_service.middleware import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES
from tests.integration.drafts import DRAFT, create, names
from tests.waiting import eventually

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def stored(api_app: FastAPI) -> Collection:
    """The collection, as another program sees it."""
    collection: Collection = api_app.state.database.handle["products"]
    return collection


def _item(key: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"product": {**DRAFT, **fields}} | ({"idempotency_key": key} if key else {})


async def _post(api: httpx.AsyncClient, *items: Any) -> list[dict[str, Any]]:
    response = await api.post("/products/batch", json={"items": items})
    assert response.status_code == 207, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


async def _heard(api: httpx.AsyncClient) -> bool:
    return bool((await api.get("/events")).json()["events"])


def _fields(result: dict[str, Any]) -> list[str]:
    return [error["field"] for error in result["problem"]["errors"]]


async def test_each_item_has_the_answer_that_it_would_have_had_alone(api: httpx.AsyncClient) -> None:
    """Good ones are made whatever stands beside them; the results are in the order of the items."""
    results = await _post(
        api,
        _item(name="first"),
        _item(price="-1"),
        _item(name="with a key", key="k"),
        _item(colour="red", query=1),
        _item(name="last"),
    )

    assert [result["status"] for result in results] == [201, 422, 201, 422, 201]
    assert [result["product"] and result["product"]["name"] for result in results] == [
        "first",
        None,
        "with a key",
        None,
        "last",
    ]
    assert [result["problem"] is None for result in results] == [True, False, True, False, True]
    assert (_fields(results[1]), _fields(results[3])) == (["product.price"], ["product.colour", "product.query"])
    assert results[1]["problem"]["status"] == 422
    assert sorted(await names(api)) == ["first", "last", "with a key"]
    for result in results[::2]:
        assert (await api.get(f"/products/{result['product']['id']}")).json() == result["product"]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        *[(item, "body") for item in (None, 5, "x", [DRAFT])],
        *[({"product": product}, "product") for product in (None, 5, "x", [DRAFT])],
        ({}, "product"),
        ({"product": DRAFT, "query": 1}, "query"),
        ({"product": DRAFT, "idempotency_key": ""}, "idempotency_key"),
        ({"product": DRAFT, "idempotency_key": "a b"}, "idempotency_key"),
        ({"product": DRAFT, "idempotency_key": "x" * 256}, "idempotency_key"),
        ({"product": DRAFT, "idempotency_key": 5}, "idempotency_key"),
        ({"product": DRAFT, "idempotency_key": {"$gt": ""}}, "idempotency_key"),
        ({"product": {**DRAFT, "tags": ["a", 1]}}, "product.tags.1"),
        ({"product": {str(number): 1 for number in range(1_000)}}, "product"),
    ],
)
async def test_an_item_that_is_none_hides_no_other(shared_api: httpx.AsyncClient, item: Any, field: str) -> None:
    """Whatever an item is, it has its own 422 that names the field, and its neighbours are made."""
    results = await _post(shared_api, _item(), item, _item())

    assert [result["status"] for result in results] == [201, 422, 201]
    assert _fields(results[1]) == [field]


async def test_a_batch_of_nothing_good_is_answered(shared_api: httpx.AsyncClient) -> None:
    """There is nothing to store then."""
    assert [result["status"] for result in await _post(shared_api, 1, 2)] == [422, 422]


async def test_keys_that_were_used_before(api: httpx.AsyncClient, stored: Collection) -> None:
    """As with a single create: 200 with the same product, or 422 for another body; in any order, among new ones."""
    single = await api.post("/products", json=DRAFT, headers={"Idempotency-Key": "single"})
    [earlier] = await _post(api, _item("batch"))

    results = await _post(
        api, _item("new"), _item("batch"), _item("single"), _item("batch", name="other"), _item(), _item("single")
    )

    assert [result["status"] for result in results] == [201, 200, 200, 422, 201, 200]
    assert results[1]["product"] == earlier["product"]
    assert results[2]["product"] == results[5]["product"] == single.json()
    assert _fields(results[3]) == ["Idempotency-Key"]
    assert await stored.count_documents({}) == 4


async def test_the_same_key_twice_in_one_batch(api: httpx.AsyncClient, stored: Collection) -> None:
    """The first item is made; a second like it is its retry, and one unlike it is refused."""
    results = await _post(api, _item("k"), _item("k"), _item("k", name="other"))

    assert [result["status"] for result in results] == [201, 200, 422]
    assert results[0]["product"] == results[1]["product"]
    assert await stored.count_documents({}) == 1


async def test_a_key_that_becomes_free_meanwhile(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """If the product under the key is deleted after the insert was refused, the item is made after all."""
    await _post(api, _item("k"))
    repository = api_app.state.products._repository  # noqa: SLF001  # the moment between two calls has to be hit
    insert_many = repository.insert_many

    async def deleted_afterwards(documents: Any) -> Any:
        taken = await insert_many(documents)
        [item] = (await api.get("/products")).json()["items"]
        await api.delete(f"/products/{item['id']}")
        return taken

    repository.insert_many = deleted_afterwards

    assert [result["status"] for result in await _post(api, _item("k"))] == [201]


async def test_keys_are_looked_up_together(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """A retry of a large batch is two calls and not two for each item, or it would not be done in time."""
    items = [_item(f"k{number}") for number in range(50)]
    first = await _post(api, *items)
    repository = api_app.state.products._repository  # noqa: SLF001  # its calls are what this is about
    repository.find_by_key = repository.insert = None

    database: Database = api_app.state.database
    await database.handle["products"].insert_many([{"name": str(number), "price": 1} for number in range(500)])
    await database.handle.command("profile", 2)
    retry = await _post(api, *items, _item("k0", name="other"))
    await database.handle.command("profile", 0)

    assert [result["product"] for result in retry[:-1]] == [result["product"] for result in first]
    assert [result["status"] for result in retry] == [200] * 50 + [422]
    [lookup] = (
        await database.handle["system.profile"].find({"op": "query", "ns": {"$regex": "products$"}}).to_list(None)
    )
    assert lookup["docsExamined"] == 50, "by the index, however large the catalogue is"


@pytest.mark.parametrize(
    "idempotency", [[{"caller": "anyone", "key": "k"}], {"caller": "anyone", "key": ["k"]}], ids=["list", "keys"]
)
async def test_a_key_in_a_foreign_document_is_taken(
    api: httpx.AsyncClient, stored: Collection, idempotency: Any
) -> None:
    """What another program put under a key in its own way was not made by this item, and hides no other."""
    await stored.insert_one({"idempotency": idempotency})

    assert [result["status"] for result in await _post(api, _item("k"), _item("new"))] == [422, 201]


async def test_a_key_whose_product_comes_and_goes(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """One item that cannot be made has its own 503, and the results of the others are told."""
    await _post(api, _item("k"))
    repository = api_app.state.products._repository  # noqa: SLF001  # another writer must win each race

    async def never_there(_caller: str, _key: str) -> None: ...

    async def none_there(_caller: str, _keys: Any) -> dict[str, Any]:
        return {}

    repository.find_by_key, repository.find_by_keys = never_there, none_there
    results = await _post(api, _item("k"), _item("new"))

    assert [result["status"] for result in results] == [503, 201]
    assert results[0]["problem"]["status"] == 503


async def test_a_thousand_items(api: httpx.AsyncClient, stored: Collection) -> None:
    """The largest batch is made, and a retry of a part of it makes nothing."""
    items = [_item(f"k{number}", name=f"n{number}") for number in range(1_000)]

    first = await _post(api, *items)
    retry = await _post(api, *items[:100])

    assert {result["status"] for result in first} == {201}
    assert {result["status"] for result in retry} == {200}
    assert [result["product"]["name"] for result in first] == [f"n{number}" for number in range(1_000)]
    assert [result["product"]["id"] for result in retry] == [result["product"]["id"] for result in first[:100]]
    assert await stored.count_documents({}) == 1_000


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        ({"items": [_item()] * 1_001}, "items"),
        ({"items": []}, "items"),
        ({"items": None}, "items"),
        ({"items": {"0": _item()}}, "items"),
        ({}, "items"),
        ({"items": [_item()], "query": 1}, "query"),
        ([_item()], "body"),
        ({str(number): 1 for number in range(100_000)}, "body"),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(api: httpx.AsyncClient, batch: Any, field: str) -> None:
    """1 to 1,000 items in a list, and nothing else beside them: otherwise 422, and nothing is stored."""
    response = await api.post("/products/batch", json=batch)

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await names(api) == []


async def test_a_batch_may_be_larger_than_a_product(shared_api: httpx.AsyncClient) -> None:
    """Its limit is 8 MiB, to the byte."""
    body = json.dumps({"items": [_item(description="x" * 5_000)] * 20}).encode()
    assert len(body) > MAX_BODY_BYTES

    at_the_limit = await shared_api.post("/products/batch", content=body.ljust(MAX_BATCH_BODY_BYTES), headers=JSON)
    over_it = await shared_api.post("/products/batch", content=body.ljust(MAX_BATCH_BODY_BYTES + 1), headers=JSON)

    assert (at_the_limit.status_code, over_it.status_code) == (207, 413)
    assert over_it.json()["errors"][0]["field"] == "body"


async def test_a_batch_of_megabytes_of_nonsense_has_a_short_answer(shared_api: httpx.AsyncClient) -> None:
    """What is wrong with each item is said, but not a hundred times over."""
    item = {"product": {**DRAFT, **{f"k{number}": 1 for number in range(40)}, "tags": [1] * 2_000}}

    response = await shared_api.post("/products/batch", json={"items": [item] * 700})

    assert response.status_code == 207
    assert len(response.content) < len(response.request.content)


async def test_a_batch_that_the_database_refuses_in_part(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """Whatever else goes wrong while it is stored: 503, since nobody can say which items were made."""
    database: Database = api_app.state.database
    await create(api)
    await eventually(lambda: _heard(api), message="the feed, which makes sure of the schema, has begun")
    await database.handle.command("collMod", "products", validator={"name": {"$ne": "forbidden"}})

    response = await api.post("/products/batch", json={"items": [_item(), _item(name="forbidden")]})

    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
