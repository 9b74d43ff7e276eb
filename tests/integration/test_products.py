import asyncio
import secrets
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from bson import Decimal128, ObjectId
from fastapi import FastAPI
from pymongo import monitoring

from api_service.database import Collection
from tests.integration.drafts import DRAFT, create, names
from tests.waiting import eventually


@pytest.fixture
def stored(api_app: FastAPI) -> Collection:
    """The collection, as another program sees it."""
    collection: Collection = api_app.state.database.handle["products"]
    return collection


# Whatever runs on behalf of the request inherits it, the driver's threads too; the feed beside it does not.
_SENT: ContextVar[list[str] | None] = ContextVar("_SENT", default=None)


class _Commands(monitoring.CommandListener):
    """Notes the commands that the driver sends for a request."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        sent = _SENT.get()
        if sent is not None:
            sent.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


monitoring.register(_Commands())  # for the whole process and for good: there is no way to take it back


async def test_a_product_is_created(api: httpx.AsyncClient) -> None:
    """201 with the whole product, its place and its tag; it can be read there, the same to the last digit."""
    before = datetime.now(UTC)
    response = await api.post(
        "/products",
        json={
            "name": "Moka pot",
            "description": "For three cups.\nSteel.",
            "price": "24.9",
            "currency": "EUR",
            "category": "kitchen",
            "tags": ["coffee"],
            "stock": 12,
        },
    )

    assert response.status_code == 201
    product = response.json()
    assert response.headers["Location"] == f"/products/{product['id']}"
    assert response.headers["ETag"] == '"1"'
    assert product.pop("created_at") == product["updated_at"]
    assert (datetime.fromisoformat(product.pop("updated_at")) - before).total_seconds() < 60
    assert ObjectId.is_valid(product.pop("id"))
    assert product == {
        "name": "Moka pot",
        "description": "For three cups.\nSteel.",
        "price": "24.90",
        "currency": "EUR",
        "category": "kitchen",
        "tags": ["coffee"],
        "stock": 12,
        "version": 1,
    }
    read = await api.get(response.headers["Location"])
    assert (read.status_code, read.json(), read.headers["ETag"]) == (200, response.json(), '"1"')


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one-write"}])
async def test_a_create_is_one_write_and_nothing_else(shared_api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """The request path is a single insert, also with a key: whatever else there is to do follows from it later."""
    sent: list[str] = []
    token = _SENT.set(sent)
    try:
        response = await shared_api.post("/products", json=DRAFT, headers=headers)
    finally:
        _SENT.reset(token)

    assert (response.status_code, sent) == (201, ["insert"])


async def test_prices_are_stored_as_decimals(api: httpx.AsyncClient, stored: Collection) -> None:
    """No float ever stands between a caller and the database."""
    product = await create(api, price="0.10")

    assert await stored.distinct("price", {"_id": ObjectId(product["id"])}) == [Decimal128("0.10")]


async def test_a_deleted_product_is_gone(api: httpx.AsyncClient) -> None:
    """204 once, 404 from then on, for every call."""
    product = await create(api)
    path = f"/products/{product['id']}"

    deleted = await api.delete(path)

    assert (deleted.status_code, deleted.content) == (204, b"")
    again = [await api.delete(path), await api.get(path), await api.patch(path, json={"stock": 1})]
    assert [response.status_code for response in again] == [404, 404, 404]
    assert all(response.json()["errors"][0]["field"] == "id" for response in again)
    assert await names(api) == []


async def test_a_patch_changes_what_it_names(api: httpx.AsyncClient) -> None:
    """The rest stays, the version grows, the tag follows, and the answer is what is read later."""
    product = await create(api, tags=["steel"], stock=3)
    path = f"/products/{product['id']}"

    response = await api.patch(
        path, json={"price": "19.9", "stock": 0}, headers={"Content-Type": "application/merge-patch+json"}
    )

    changed = response.json()
    assert (response.status_code, response.headers["ETag"]) == (200, '"2"')
    assert changed.pop("updated_at") >= product.pop("updated_at")
    assert changed == {**product, "price": "19.90", "stock": 0, "version": 2}
    assert (await api.get(path)).json() == response.json()


async def test_null_removes_a_field(api: httpx.AsyncClient) -> None:
    """RFC 7396: without it a product has the default of a new one."""
    product = await create(api, description="old", category="kitchen", tags=["steel"], stock=3, currency="EUR")

    response = await api.patch(
        f"/products/{product['id']}",
        json={"description": None, "category": None, "tags": None, "stock": None, "currency": None},
    )

    changed = response.json()
    defaults: dict[str, Any] = {"description": "", "category": "general", "tags": [], "stock": None, "currency": "USD"}
    assert {name: changed[name] for name in defaults} == defaults


@pytest.mark.parametrize("patch", [{}, {"name": "Moka pot"}, {"stock": None}, {"price": "24.9000"}])
async def test_a_patch_that_changes_nothing_is_no_change(shared_api: httpx.AsyncClient, patch: dict[str, Any]) -> None:
    """No new version, so that nobody hears of an update that is none."""
    product = await create(shared_api)

    response = await shared_api.patch(f"/products/{product['id']}", json=patch)

    assert (response.status_code, response.json()) == (200, product)


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        *[({name: None}, name) for name in ("name", "price", "colour", "id", "version", "$set", "query", "body")],
        *[({name: 1}, name) for name in ("name", "price", "colour", "id", "version", "created_at", "query")],
        ({"tags": ["a", None]}, "tags.1"),
        ({"currency": "JPY"}, "price"),
        ({"price": "0.001"}, "price"),
        ([], "body"),
        ("x", "body"),
    ],
)
async def test_a_patch_that_breaks_a_rule_changes_nothing(
    shared_api: httpx.AsyncClient, patch: Any, field: str
) -> None:
    """What must not be removed, is unknown, or would not be a product: 422 that names the field."""
    product = await create(shared_api)
    path = f"/products/{product['id']}"

    response = await shared_api.patch(path, json=patch)

    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await shared_api.get(path)).json() == product


@pytest.mark.parametrize(
    "if_match", ['"1"', "*", ' "1" ', '"7", "1"', '"7","1"', 'W/"1", "1"', '"abc", "1"', '"", "1"']
)
async def test_a_patch_of_the_version_that_was_seen(shared_api: httpx.AsyncClient, if_match: str) -> None:
    """If-Match is a list of tags, one of which has to match, or `*` for any (RFC 9110, section 13.1.1)."""
    product = await create(shared_api)

    response = await shared_api.patch(f"/products/{product['id']}", json={"stock": 1}, headers={"If-Match": if_match})

    assert (response.status_code, response.json()["version"]) == (200, 2)


@pytest.mark.parametrize("if_match", ['"2"', '"0"', '"01"', 'W/"1"', '"abc"', '""', '"-1"', f'"{"1" * 30}"', '"2","3"'])
async def test_a_patch_of_another_version(shared_api: httpx.AsyncClient, if_match: str) -> None:
    """412 for any tag that is not the product's own, and a weak one never is; nothing is changed."""
    product = await create(shared_api)
    path = f"/products/{product['id']}"

    response = await shared_api.patch(path, json={"stock": 1}, headers={"If-Match": if_match})

    assert response.status_code == 412
    assert "version 1" in response.json()["detail"]
    assert (await shared_api.get(path)).json() == product


@pytest.mark.parametrize("if_match", ["1", "", '"1', 'junk"1"', '"1" "2"', "*, *", "'1'", '"1",', 'w/"1"'])
async def test_an_if_match_that_is_none(shared_api: httpx.AsyncClient, if_match: str) -> None:
    """A caller who meant to be careful is told, and not let through."""
    product = await create(shared_api)

    response = await shared_api.patch(f"/products/{product['id']}", json={"stock": 1}, headers={"If-Match": if_match})

    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["If-Match"]


async def test_patches_at_the_same_time_all_count(api: httpx.AsyncClient) -> None:
    """Without If-Match nobody's change is lost; each is one version."""
    product = await create(api)
    path = f"/products/{product['id']}"
    patches = [{"stock": 7}, {"description": "new"}, {"tags": ["a"]}, {"category": "books"}]

    responses = await asyncio.gather(*(api.patch(path, json=patch) for patch in patches))

    assert [response.status_code for response in responses] == [200] * 4
    read = (await api.get(path)).json()
    assert (read["stock"], read["description"], read["tags"], read["category"]) == (7, "new", ["a"], "books")
    assert read["version"] == 5


async def test_of_two_careful_patches_one_is_refused(api: httpx.AsyncClient) -> None:
    """Both have seen version 1: the second must look again."""
    product = await create(api)
    path = f"/products/{product['id']}"

    responses = await asyncio.gather(
        *(api.patch(path, json={"stock": stock}, headers={"If-Match": '"1"'}) for stock in (1, 2))
    )

    assert sorted(response.status_code for response in responses) == [200, 412]


async def test_a_product_that_never_holds_still_is_answered(api: httpx.AsyncClient, api_app: FastAPI) -> None:
    """A patch that is overtaken again and again ends as 503, to be tried again: it is neither lost nor endless."""
    product = await create(api)
    repository = api_app.state.products._repository  # noqa: SLF001  # another writer must win each race
    update = repository.update

    async def too_late(product_id: ObjectId, version: int, fields: dict[str, Any]) -> Any:
        await update(product_id, version, {"stock": version})
        return await update(product_id, version, fields)

    repository.update = too_late
    response = await api.patch(f"/products/{product['id']}", json={"description": "new"})

    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert (await api.get(f"/products/{product['id']}")).json()["description"] == ""


async def test_the_newest_come_first(api: httpx.AsyncClient) -> None:
    """Page after page, each product once, and a cursor as long as there is more."""
    for number in range(5):
        await create(api, name=str(number))
        await asyncio.sleep(0.002)  # an id tells milliseconds

    first = (await api.get("/products", params={"limit": 2})).json()

    assert [item["name"] for item in first["items"]] == ["4", "3"]
    assert await names(api, limit=2) == ["4", "3", "2", "1", "0"]
    assert await names(api, limit=5) == await names(api) == ["4", "3", "2", "1", "0"]
    assert (await api.get("/products", params={"limit": 5})).json()["next_cursor"] is None


async def test_pages_are_stable_while_products_come_and_go(api: httpx.AsyncClient) -> None:
    """Whoever turns pages sees no product twice, and misses none that was there all the time."""
    old = [await create(api, name=f"old-{number}") for number in range(6)]
    page = (await api.get("/products", params={"limit": 2})).json()
    seen = [item["id"] for item in page["items"]]
    while page["next_cursor"]:
        await create(api, name="new")
        await api.delete(f"/products/{seen[-1]}")  # the very one that the cursor names
        page = (await api.get("/products", params={"limit": 2, "cursor": page["next_cursor"]})).json()
        seen += [item["id"] for item in page["items"]]

    assert sorted(seen) == sorted(product["id"] for product in old)


async def test_a_category_can_be_listed(api: httpx.AsyncClient) -> None:
    """Exactly that one, also over several pages."""
    for number in range(4):
        await create(api, name=str(number), category=("books", "books-old")[number % 2])
        await asyncio.sleep(0.002)  # an id tells milliseconds

    assert await names(api, category="books", limit=1) == ["2", "0"]
    assert await names(api, category="toys") == []


@pytest.mark.parametrize("q", ["MOKA", "oka p", "steel", "three cups", "ÉLAN"])
async def test_text_can_be_searched(shared_api: httpx.AsyncClient, q: str) -> None:
    """In name, description and tags, in any case, anywhere in the text."""
    category = f"searched-{secrets.token_hex(4)}"
    await create(shared_api, name="other", category=category)
    await create(shared_api, name="Moka pot élan", description="For three cups", tags=["Steel"], category=category)

    assert await names(shared_api, q=q, category=category) == ["Moka pot élan"]


@pytest.mark.parametrize(
    "q", [".*", "^", "$", "[a-z]", "(", "\\", "a|b", "(?i)x", "$where", '{"$gt": ""}', "#", "x*", "a b", "{1,9}", "\\E"]
)
async def test_a_search_is_text_and_never_a_pattern(shared_api: httpx.AsyncClient, q: str) -> None:
    """Whatever looks like a pattern or an operator is found where it stands, and matches nothing else."""
    category = f"searched-{secrets.token_hex(4)}"
    await create(shared_api, name="aab", category=category)
    assert await names(shared_api, q=q, category=category) == []

    await create(shared_api, name=f"<{q}>", category=category)
    assert await names(shared_api, q=q, category=category) == [f"<{q}>"]


async def test_a_cursor_belongs_to_its_list(api: httpx.AsyncClient) -> None:
    """With another filter it would leave products out: 422 that names it."""
    for _ in range(2):
        await create(api, category="books")
    cursor = (await api.get("/products", params={"limit": 1, "category": "books"})).json()["next_cursor"]

    for query in ({}, {"category": "toys"}, {"category": "books", "q": "moka"}):
        response = await api.get("/products", params={**query, "cursor": cursor})
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == ["cursor"]


async def test_texts_that_look_like_operators_are_text(api: httpx.AsyncClient) -> None:
    """What a caller sends is stored as it is, and means nothing to the database."""
    texts = {"name": '{"$gt": ""}', "description": "$$ROOT $where: sleep(1000)", "tags": ["$ne", "a.b"]}

    product = await create(api, **texts)
    patched = await api.patch(f"/products/{product['id']}", json={"name": "$name", "description": "$$NOW"})

    assert {name: product[name] for name in texts} == texts
    assert (patched.json()["name"], patched.json()["description"]) == ("$name", "$$NOW")
    assert await names(api, q="$$NOW") == ["$name"]


async def test_foreign_documents_are_read_as_far_as_they_are_products(
    api: httpx.AsyncClient, stored: Collection
) -> None:
    """Another program's product is listed with defaults; what is no product is left out, and ends no page early."""
    await create(api, name="ours")
    await stored.insert_many(
        [
            {"name": "theirs", "price": 9.99},
            {"name": "free", "price": 0, "version": 2.0},
            {"price": 1},
            {"name": 5, "price": 1},
            {"name": "no price"},
            {"name": "odd", "price": "cheap"},
            {"name": "odd", "price": 1, "version": "3"},
            {"name": "odd", "price": 1, "created_at": "0001-01-01T00:00:00+10:00"},
            {"name": "odd", "price": 1, "tags": "steel"},
        ]
    )

    assert await names(api, limit=1) == ["free", "theirs", "ours"]
    assert await names(api) == ["free", "theirs", "ours"]


async def test_ids_of_other_types_are_no_products(api: httpx.AsyncClient, stored: Collection) -> None:
    """They sort before and after ours, and must not come between a page and the next."""
    await create(api, name="ours")
    await stored.insert_many(
        [
            {"_id": other, "name": "odd", "price": 1}
            for other in ("x", 5, {"a": 1}, True, datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))
        ]
    )

    assert await names(api, limit=1) == ["ours"]


async def test_a_document_that_is_no_product_is_not_found(api: httpx.AsyncClient, stored: Collection) -> None:
    """It can be neither read nor patched, but removed."""
    stored_id = (await stored.insert_one({"name": "no price"})).inserted_id
    path = f"/products/{stored_id}"

    answers = [await api.get(path), await api.patch(path, json={"price": "1"}), await api.delete(path)]

    assert [answer.status_code for answer in answers] == [404, 404, 204]


async def test_a_foreign_product_can_be_patched(api: httpx.AsyncClient, stored: Collection) -> None:
    """It counts as version 1, and has one from then on; what it had besides is kept."""
    stored_id = (await stored.insert_one({"name": "theirs", "price": 9.5, "colour": "red"})).inserted_id

    response = await api.patch(f"/products/{stored_id}", json={"stock": 1}, headers={"If-Match": '"1"'})

    assert response.status_code == 200
    document = await stored.find_one({"_id": stored_id})
    assert document is not None
    assert (document["version"], document["stock"], document["colour"]) == (2, 1, "red")


async def test_a_foreign_product_that_breaks_a_rule_must_be_mended_to_be_patched(
    api: httpx.AsyncClient, stored: Collection
) -> None:
    """The error names the field, and sending it right in the same patch is enough."""
    stored_id = (await stored.insert_one({"name": "theirs", "price": 9.999, "category": "Big Books"})).inserted_id
    path = f"/products/{stored_id}"

    refused = await api.patch(path, json={"stock": 1})
    mended = await api.patch(path, json={"stock": 1, "price": "10", "category": "big-books"})

    assert (refused.status_code, {error["field"] for error in refused.json()["errors"]}) == (422, {"price", "category"})
    assert (mended.status_code, mended.json()["price"]) == (200, "10.00")


async def test_what_happens_to_products_is_heard_in_order(api: httpx.AsyncClient) -> None:
    """The change stream alone tells of a create, a patch and a delete; nothing is told of what did not change."""
    product = await create(api)
    path = f"/products/{product['id']}"
    await api.patch(path, json={"name": "Moka pot"})
    await api.patch(path, json={"stock": 1})
    await api.delete(path)

    async def heard() -> list[str] | None:
        events = (await api.get("/events")).json()["events"]
        return [event["event"] for event in events] if len(events) >= 3 else None

    assert await eventually(heard, message="three events") == ["new_product", "product_updated", "product_deleted"]
