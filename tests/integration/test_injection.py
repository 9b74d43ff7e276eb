"""What a caller sends is data, wherever it is sent: it is never an operator, a pattern or a program."""

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from api_service.app import create_app
from api_service.settings import Settings
from tests.integration.emitter import Emitter
from tests.tokens import JWT_SECRET, signed, token
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
    for parameter in ("after", "limit"):
        assert (await api.get("/events", params={parameter: text})).status_code == 422
        assert (await api.get("/events", params={f"{parameter}[{name}]": "1"})).status_code == 422
    assert await names(api) == ["a"]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_value_of_a_message_or_an_order(
    api: httpx.AsyncClient, operator: dict[str, Any]
) -> None:
    """Refused with the field's name. As a payload it is data, and as a text it names no emitter."""
    # Without tokens only who calls this machine by a name of its own is an operator.
    api.headers["Host"] = "127.0.0.1"
    message = {"event": "hello", "payload": 1, "to": ["user:ann"], "ack_timeout_ms": 100}
    for path, body, fields in (
        ("/messages", message, ("event", "to", "ack_timeout_ms")),
        ("/operate/drain", {"node": "emitter-1"}, ("node",)),
        ("/operate/rebalance", {"node": "emitter-1", "target": 1}, ("node", "target")),
    ):
        for field in fields:
            for value in (operator, [operator]):
                answer = await api.post(path, json={**body, field: value})
                assert answer.status_code == 422, (path, field, value)
                assert answer.json()["errors"][0]["field"].startswith(field)
        assert (await api.post(path, json={**body, **operator})).status_code == 422
        assert (await api.post(path, json=operator)).status_code == 422
    # Nothing listens where the emitter is looked for: what is right is told so.
    assert (await api.post("/messages", json={**message, "payload": operator})).status_code == 503
    for path in ("/operate/drain", "/operate/rebalance"):
        order = {"node": json.dumps(operator)[:100], **({"target": 1} if path.endswith("rebalance") else {})}
        assert (await api.post(path, json=order)).status_code in {422, 503}


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_idempotency_key_of_a_batch(api: httpx.AsyncClient, operator: dict[str, Any]) -> None:
    """An object is refused, item by item; a text is a key that finds its own product alone."""
    made = await api.post("/products/batch", json={"items": [{"product": DRAFT, "idempotency_key": "honest"}]})
    assert made.json()["results"][0]["status"] == 201
    for key in (operator, [operator], [operator, "honest"]):
        answer = await api.post("/products/batch", json={"items": [{"product": DRAFT, "idempotency_key": key}]})
        assert answer.json()["results"][0]["status"] == 422, key
    text = f'{{"{next(iter(operator))}":""}}'
    for status in (201, 200):
        answer = await api.post("/products/batch", json={"items": [{"product": DRAFT, "idempotency_key": text}]})
        assert answer.json()["results"][0]["status"] == status
    assert await count(api) == 2


@pytest.fixture
async def guarded_api(api_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A product API that asks for tokens."""
    app = create_app(api_settings.model_copy(update={"auth": "jwt", "jwt_secret": SecretStr(JWT_SECRET)}))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield http


async def test_an_operator_is_no_token_and_no_user(guarded_api: httpx.AsyncClient) -> None:
    """As a token it proves nothing, nor as what a token says, whoever has signed it."""
    for operator in OPERATORS:
        rights = {"aud": "storecast", "exp": int(time.time()) + 3_600, "sub": "ann", "scope": "products:write"}
        for shown in (
            json.dumps(operator),
            token(json.dumps(operator), scope="products:write"),
            *(signed({**rights, claim: operator}) for claim in ("sub", "aud", "exp", "scope")),
        ):
            headers = {"Authorization": f"Bearer {shown}"}
            answer = await guarded_api.post("/products", json=DRAFT, headers=headers)
            assert answer.status_code in {401, 403}, shown
    assert await count(guarded_api) == 0


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_name_of_a_request(shared_api: httpx.AsyncClient, operator: dict[str, Any]) -> None:
    """What goes into each line of the log is a plain name, or else one of ours."""
    answer = await shared_api.get("/livez", headers={"X-Request-ID": json.dumps(operator)})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


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


@pytest.fixture(scope="module")
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.opened(
        auth="jwt", jwt_secret=JWT_SECRET, client_topics=["chat:*"], client_messages_per_second=1_000
    ) as emitter:
        yield emitter


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_value_of_a_listener(emitter: Emitter, operator: dict[str, Any]) -> None:
    """Neither in the URL nor as the number from which a stream is to go on."""
    name, text = next(iter(operator)), json.dumps(operator)
    sse = "/websocket-service/sse"
    answer = await emitter.public.get(sse, headers={"Last-Event-ID": text})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Last-Event-ID")
    for parameter in ("topics", "after"):
        for named, value in ((parameter, text), (f"{parameter}[{name}]", "1")):
            assert (await emitter.public.get(sse, params={named: value})).status_code == 422
    assert (await emitter.public.get(sse, params={"token": text})).status_code == 401
    assert (await emitter.public.get(sse, headers={"Authorization": f"Bearer {text}"})).status_code == 401


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: next(iter(operator)))
async def test_an_operator_is_no_value_of_a_socket(emitter: Emitter, operator: dict[str, Any]) -> None:
    """In no field of the handshake and of no event; what is said to others is data, and comes as it was said."""
    text = json.dumps(operator)
    wrong = [{field: operator} for field in ("topics", "after", "pid", "offset", "token")]
    for auth in (*wrong, {"topics": [operator]}, {"topics": [text]}, {"after": text}, operator):
        async with emitter.client(auth) as client:
            assert (await client.refused())["data"]["status"] == 422, auth
    async with emitter.client({"token": text}) as client:
        assert (await client.refused())["data"]["status"] == 401
    async with emitter.client({"topics": ["chat:lobby"]}) as client:
        await client.welcome()
        chosen = [{"topics": operator}, {"topics": [operator]}, {"topics": [text]}, operator, [operator], text]
        said: dict[str, list[Any]] = {
            "subscribe": [*chosen, {"topics": ["products"], "after": operator}],
            "unsubscribe": chosen,
            "publish": [
                *({"topic": "chat:lobby", "event": "a", "payload": 1, field: operator} for field in ("topic", "event")),
                operator,
                text,
            ],
            "authenticate": [{"token": operator}, operator, text],
        }
        for event, requests in said.items():
            for request in requests:
                assert (await client.call(event, request))["error"]["status"] == 422, (event, request)
        assert (await client.call("authenticate", {"token": text}))["error"]["status"] == 401
        async with emitter.client({"topics": ["chat:lobby"]}) as other:
            await other.welcome()
            await other.say("publish", {"topic": "chat:lobby", "event": "hello", "payload": operator})
            assert (await client.event())[:2] == ["hello", operator]
