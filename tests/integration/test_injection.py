"""What a caller sends is data, wherever it is sent: it is never an operator, a pattern or a program."""

import json
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.waiting import quick

# https://www.mongodb.com/docs/manual/reference/operator/query/
OPERATORS: list[dict[str, Any]] = [
    {"$gt": ""},
    {"$ne": None},
    {"$regex": ".*"},
    {"$where": "sleep(5000)"},
    {"$expr": {"$function": {"body": "function() { while (true); }", "args": [], "lang": "js"}}},
    {"$set": {"price": "0"}},
    {"$oid": "0" * 24},
]
FIELDS = ("name", "description", "price", "currency", "category", "tags", "stock")
DRAFT: dict[str, Any] = {"name": "a", "price": "1.00"}


async def names(api: httpx.AsyncClient) -> list[str]:
    return [item["name"] for item in (await api.get("/products")).json()["items"]]


async def count(api: httpx.AsyncClient) -> int:
    seen, cursor = 0, None
    while True:
        page = (await api.get("/products", params={"limit": 200, **({"cursor": cursor} if cursor else {})})).json()
        seen, cursor = seen + len(page["items"]), page["next_cursor"]
        if not cursor:
            return seen


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_value_of_a_field(api: httpx.AsyncClient, operator: dict[str, Any]) -> None:
    """Refused with the field's name, in each field of a new product, of a patch and of a batch; nothing is stored."""
    made = (await api.post("/products", json={"name": "honest", "price": "1.00"})).json()
    for field in FIELDS:
        for value in (operator, [operator]):
            wrong: dict[str, Any] = {**DRAFT, field: value}
            answer = await api.post("/products", json=wrong)
            assert answer.status_code == 422, (field, value)
            assert answer.json()["errors"][0]["field"].startswith(field)
            assert (await api.patch(f"/products/{made['id']}", json={field: value})).status_code == 422
            batch = await api.post("/products/batch", json={"items": [{"product": wrong}]})
            assert batch.json()["results"][0]["status"] == 422
    for added in (operator, {"$where": "1"}, {"a.b": 1}, {"_id": 1}):
        assert (await api.post("/products", json={**DRAFT, **added})).status_code == 422
        assert (await api.patch(f"/products/{made['id']}", json=added)).status_code == 422
    assert await names(api) == ["honest"]
    assert (await api.get(f"/products/{made['id']}")).json() == made


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_value_of_a_query(api: httpx.AsyncClient, operator: dict[str, Any]) -> None:
    """Neither as JSON nor in the brackets that some frameworks make objects of; an id that is one names nothing."""
    await api.post("/products", json=DRAFT)
    name, text = next(iter(operator)), json.dumps(operator)
    for parameter in ("category", "cursor", "limit"):
        assert (await api.get("/products", params={parameter: text})).status_code == 422
    for parameter in ("category", "cursor", "limit", "q"):
        assert (await api.get("/products", params={f"{parameter}[{name}]": ""})).status_code == 422
    assert (await api.get("/products", params={"q": text})).json()["items"] == []
    for method in ("GET", "DELETE"):
        assert (await api.request(method, f"/products/{quote(text, safe='')}")).status_code == 404
    assert (await api.get("/events", params={"after": text})).status_code == 422
    assert await names(api) == ["a"]


async def test_an_operator_is_no_value_of_a_header(api: httpx.AsyncClient) -> None:
    """An idempotency key is a text like any other, and an entity tag that is none is refused."""
    keys = [json.dumps(operator, separators=(",", ":")) for operator in OPERATORS if len(json.dumps(operator)) < 200]
    keys = [key for key in keys if " " not in key]
    for key in keys:
        answer = await api.post("/products", json={**DRAFT, "name": key[:50]}, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, key
    # None of them found another's product.
    assert len(await names(api)) == len(keys)
    made = answer.json()
    tag = {"If-Match": '{"$ne": null}'}
    assert (await api.patch(f"/products/{made['id']}", json={"price": "2"}, headers=tag)).status_code == 422


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(.*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "[", "\\", "(?i)x", ".*", "a{99999}"]
)
async def test_a_search_is_no_pattern(api: httpx.AsyncClient, pattern: str) -> None:
    """What would take a regular expression for ever is found as the text that it is, and as nothing else."""
    await api.post("/products", json={**DRAFT, "name": "a" * 200, "description": "a" * 5_000})

    async def search() -> float:
        begun = time.monotonic()
        assert (await api.get("/products", params={"q": pattern})).json()["items"] == []
        return time.monotonic() - begun

    # MongoDB's own limit of such a search would end it after 2 s.
    await quick(search, under_s=2, message="a search is answered")
    await api.post("/products", json={**DRAFT, "name": f"about {pattern}"})
    assert [item["name"] for item in (await api.get("/products", params={"q": pattern})).json()["items"]] == [
        f"about {pattern}"
    ]


async def test_what_looks_like_a_program_is_stored_as_text(api: httpx.AsyncClient) -> None:
    """Markup, statements and paths are names like any other, byte for byte."""
    odd = [
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE products; --",
        "${jndi:ldap://127.0.0.1/a}",
        "../../etc/passwd",
        "{{7*7}}",
        "\u202etxt.exe",
        "\U0001f600" * 50,
        "e\u0301 and \u00e9",
    ]
    for name in odd:
        made = await api.post("/products", json={"name": name, "price": "1"})
        assert made.status_code == 201, name
        assert made.json()["name"] == name
    assert await names(api) == odd[::-1]


async def test_thousands_of_keys_are_thousands_of_products(api: httpx.AsyncClient) -> None:
    """And not one more, however often they are sent; what is no key is refused."""
    items = [
        {"product": {**DRAFT, "name": f"p{number}"}, "idempotency_key": f"key-{number}"} for number in range(1_000)
    ]
    for status in (201, 200, 200):
        answer = await api.post("/products/batch", json={"items": items})
        assert {result["status"] for result in answer.json()["results"]} == {status}
    for status in (201, 200):
        headers = {"Idempotency-Key": "k" * 255}
        assert (await api.post("/products", json=DRAFT, headers=headers)).status_code == status
    for key in (b"k" * 256, b"a b", b"", "\u00e9".encode(), b"\xff"):
        answer = await api.post("/products", json=DRAFT, headers=[(b"Idempotency-Key", key)])
        assert answer.status_code == 422, key
    assert await count(api) == 1_001
