"""Who may do what: every call and every socket event, with every kind of token. Each cell is asserted."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api_service.app import create_app as create_api
from api_service.settings import Settings as ApiSettings
from shared.emitter_api import EMIT_PATH, EVENTS_PATH, POSITION_PATH
from tests.events import live
from tests.integration.emitter import SECRET, Emitter, RawClient
from tests.mongod import Mongod, unused_database
from tests.tokens import JWT_SECRET, bad_tokens, token
from ws_service.app import create_app as create_emitter
from ws_service.settings import Settings as EmitterSettings

PREVIOUS_SECRET = "the secret before the rotation"
SECRETS = {"the secret": SECRET, "the previous secret": PREVIOUS_SECRET}
ID = "0" * 24
SCOPES = ("products:read", "products:write", "messages:send", "operate")


def callers() -> dict[str, str | None]:
    """Return what a caller may show, by what it is; all scopes for those whose token is bad."""
    every = " ".join(SCOPES)
    return {
        "nobody": None,
        **bad_tokens(scope=every),
        "no scope": token("ann"),
        **{scope: token("ann", scope=scope) for scope in SCOPES},
    }


CALLERS = tuple(callers())
BAD = tuple(bad_tokens())


class Call(NamedTuple):
    """A call, and what it takes: a scope, or nothing."""

    method: str
    path: str
    takes: str | None
    body: Any = None


READS = [
    Call("GET", "/products", "products:read"),
    Call("GET", f"/products/{ID}", "products:read"),
    Call("GET", "/events", "products:read"),
]
API_CALLS = [
    Call("POST", "/products", "products:write", {"name": "a", "price": "1"}),
    Call("POST", "/products/batch", "products:write", {"items": []}),
    Call("PATCH", f"/products/{ID}", "products:write", {"name": "b"}),
    Call("DELETE", f"/products/{ID}", "products:write"),
    Call("POST", "/messages", "messages:send", {"event": "a", "to": ["user:ann"]}),
    Call("GET", "/operate/state", "operate"),
    Call("POST", "/operate/drain", "operate", {"node": "emitter-1"}),
    Call("POST", "/operate/rebalance", "operate", {"node": "emitter-1", "target": 100}),
    *[Call("GET", path, None) for path in ("/livez", "/readyz", "/metrics")],
]
FILE = "page.js"
# Public on purpose: documents, pages and their files. They hold no product, and ask for what they show as anybody does.
API_PAGES = [
    *[Call(method, path, None) for path in ("/", "/operate", f"/static/{FILE}") for method in ("GET", "HEAD")],
    *[Call("GET", path, None) for path in ("/docs", "/config.json", "/openapi.json")],
    Call("HEAD", "/openapi.json", None),
]
SOCKETS = "/websocket-service"
EMITTER_PAGES = [
    Call(method, path, None)
    for path in (
        "/openapi.json",
        *(f"{SOCKETS}/{name}" for name in ("client.js", "socket.io.js", "asyncapi.json")),
    )
    for method in ("GET", "HEAD")
]
EMITTER_CALLS = [
    Call("POST", EVENTS_PATH, "secret", {"epoch": "e1", "events": []}),
    Call("GET", POSITION_PATH, "secret"),
    Call("POST", EMIT_PATH, "secret", {"event": "a"}),
    Call("GET", "/connections", "operate"),
    Call("POST", "/drain", "operate"),
    Call("POST", "/rebalance", "operate", {"target": 100}),
    *[Call("GET", path, None) for path in ("/livez", "/readyz", "/metrics", f"{SOCKETS}/assign", f"{SOCKETS}/raw")],
    Call("OPTIONS", f"{SOCKETS}/sse", None),
]
# Read in tests of their own: a stream has no end to wait for.
EMITTER_STREAMS = {("GET", f"{SOCKETS}/sse")}


def expected(takes: str | None, caller: str) -> int | None:
    """Return the status that refuses a caller; None where it is let through."""
    if takes is None or caller == takes:
        return None
    return 401 if caller == "nobody" or caller in BAD else 403


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """Return the method and the path of each endpoint that there is, in the OpenAPI document or not."""
    return {
        (method, str(context.path)) for context in iter_route_contexts(app.routes) for method in context.methods or ()
    }


def api_settings(url: str, **fields: Any) -> ApiSettings:
    given = {
        "instance": "api",
        "emitter_url": "http://127.0.0.1:1",
        "emitter_secret": "a secret of the tests",
        "database_timeout_ms": 30_000,
    }
    return ApiSettings.model_validate({**given, "mongo_url": url, "jwt_secret": JWT_SECRET, **fields})


@pytest.fixture(scope="module", params=["public reading", "closed reading"])
async def api(mongod: Mongod, request: pytest.FixtureRequest) -> AsyncIterator[tuple[httpx.AsyncClient, bool]]:
    """A product API that demands tokens, and whether reading takes one."""
    database = unused_database()
    is_closed = request.param == "closed reading"
    app = create_api(api_settings(mongod.url(database), public_read=not is_closed))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield http, is_closed
    await mongod.drop(database)


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_call_of_the_api_takes_its_scope(api: tuple[httpx.AsyncClient, bool], caller: str) -> None:
    """No token: 401 that asks for one. One that proves nothing: 401. One without the scope: 403 that names it."""
    http, is_closed = api
    for call in [*API_CALLS, *API_PAGES, *READS]:
        takes = call.takes if is_closed or call not in READS else None
        answer = await http.request(call.method, call.path, headers=_header(callers()[caller]), json=call.body)
        status = expected(takes, caller)
        if status is None:
            assert answer.status_code not in {401, 403}, (call, answer.text)
            assert answer.is_success or call not in API_PAGES, call
            continue
        assert answer.status_code == status, (call, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert (str(call.takes) in answer.text) is (status == 403 or caller == "nobody")


def test_the_matrix_has_every_call_of_the_api() -> None:
    """A new endpoint is not forgotten."""
    app = create_api(api_settings("mongodb://127.0.0.1:1/none"))
    named = {ID: "{product_id}", FILE: "{name:path}"}
    listed = {
        (call.method, "/".join(named.get(part, part) for part in call.path.split("/")))
        for call in [*API_CALLS, *API_PAGES, *READS]
    }
    assert routes(app) == listed


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    settings = {"auth": "jwt", "jwt_secret": JWT_SECRET, "emitter_secret_previous": PREVIOUS_SECRET}
    async with Emitter.running(**settings) as emitter:
        await emitter.open()
        yield emitter


@pytest.mark.parametrize("caller", [*CALLERS, *SECRETS])
async def test_each_internal_call_takes_the_secret_or_its_scope(emitter: Emitter, caller: str) -> None:
    """A token is no secret: only what operators do can be done with one, and only with the scope for it."""
    shown = {**callers(), **SECRETS}[caller]
    for call in [*EMITTER_CALLS, *EMITTER_PAGES]:
        answer = await emitter.public.request(call.method, call.path, headers=_header(shown), json=call.body)
        if call.takes == "secret":
            status = None if caller in SECRETS else 401
        else:
            status = None if caller in SECRETS else expected(call.takes, caller)
        if status is None:
            assert answer.status_code not in {401, 403}, (call, answer.text)
            assert answer.is_success or call not in EMITTER_PAGES, call
        else:
            assert answer.status_code == status, (call, answer.text)


def test_the_matrix_has_every_call_of_the_emitter() -> None:
    """A new endpoint is not forgotten."""
    app = create_emitter(EmitterSettings.model_validate({"emitter_secret": SECRET, "jwt_secret": JWT_SECRET}))
    listed = {(call.method, call.path) for call in [*EMITTER_CALLS, *EMITTER_PAGES]}
    assert routes(app.other_asgi_app) == listed | EMITTER_STREAMS


def _header(shown: str | None) -> Mapping[str, str]:
    return {} if shown is None else {"Authorization": f"Bearer {shown}"}


# Topics, and what they take.
TOPICS = {
    "products": "products:read",
    "category:toys": "products:read",
    "chat:lobby": None,
    "orders:all": "messages:send",
    "inbox:ann": "ann",
    "inbox:bob": "bob",
}


@pytest.fixture(scope="module")
async def guarded() -> AsyncIterator[Emitter]:
    """An emitter where nothing may be heard without a token but what no rule is for."""
    settings = {
        "auth": "jwt",
        "jwt_secret": JWT_SECRET,
        "public_read": False,
        "client_topics": ["chat:*", "orders:*", "inbox:*"],
        "topic_rules": {"orders:*": "messages:send", "inbox:*": "sub"},
        # One client asks for all there is.
        "client_messages_per_second": 1_000,
    }
    async with Emitter.running(**settings) as emitter:
        await emitter.open()
        yield emitter


def on_topic(takes: str | None, caller: str) -> int | None:
    """Return the status with which a caller is refused a topic; the tokens are all of ann."""
    if takes == "ann" and caller not in {"nobody", *BAD}:
        return None
    return expected(takes, caller)


def auth(topics: list[str], caller: str) -> dict[str, Any]:
    """Return the handshake of a caller."""
    shown = callers()[caller]
    return {"topics": topics, **({} if shown is None else {"token": shown})}


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_topic_takes_its_token_at_the_handshake(guarded: Emitter, caller: str) -> None:
    """Socket.IO, server-sent events and plain websockets alike. A bad token is refused wherever it is shown."""
    for topic, takes in TOPICS.items():
        status = 401 if caller in BAD else on_topic(takes, caller)
        shown = auth([topic], caller)
        assert await _socket_status(guarded, shown) == status, topic
        assert await _sse_status(guarded, topic, shown.get("token")) == status, topic
        assert await _raw_status(guarded, topic, shown.get("token")) == status, topic


async def _socket_status(emitter: Emitter, shown: dict[str, Any]) -> int | None:
    async with emitter.client(shown) as client:
        packet = await client.receive()
    if packet.startswith("40"):
        return None
    return int(json.loads(packet.removeprefix("44"))["data"]["status"])


async def _sse_status(emitter: Emitter, topic: str, shown: str | None) -> int | None:
    query = {"topics": topic}
    async with emitter.public.stream("GET", f"{SOCKETS}/sse", params=query, headers=_header(shown)) as answer:
        return None if answer.status_code == 200 else answer.status_code


async def _raw_status(emitter: Emitter, topic: str, shown: str | None) -> int | None:
    # As a page has to show it, which can set no header.
    query = urlencode({"topics": topic, **({} if shown is None else {"token": shown})})
    try:
        async with connect(f"ws://{emitter.address}{SOCKETS}/raw?{query}", proxy=None) as websocket:
            async with asyncio.timeout(30):
                assert json.loads(await websocket.recv())["event"] == "welcome"
            return None
    except InvalidStatus as refusal:
        return refusal.response.status_code


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_event_takes_the_token_of_its_topic(guarded: Emitter, caller: str) -> None:
    """What may not be heard may neither be asked for later nor talked on. Anybody may leave; nobody is told more.

    With a bad token nobody connects, and who shows one on a running connection goes on as who they were.
    """
    if caller in BAD:
        assert await _socket_status(guarded, auth(["chat:other"], caller)) == 401
    for standing in STANDING if caller in BAD else [caller]:
        async with guarded.client(auth(["chat:other"], standing)) as client:
            await client.welcome()
            if caller in BAD:
                await _is_refused(client, caller)
            await _each_event(client, standing)


# Who shows bad tokens on a running connection: one whom some topics are open to, and one whom others are.
STANDING = ("nobody", "products:read", "messages:send")


async def _is_refused(client: RawClient, caller: str) -> None:
    answer = await client.call("authenticate", {"token": callers()[caller]})
    assert answer["error"]["status"] == 401


async def _each_event(client: RawClient, caller: str) -> None:
    for topic, takes in TOPICS.items():
        status = on_topic(takes, caller)
        subscribed = await client.call("subscribe", {"topics": [topic]})
        if status is None:
            assert subscribed == {"topics": sorted(["chat:other", topic]), "recovered": False}
        else:
            assert subscribed["error"]["status"] == status, topic
        assert await client.call("unsubscribe", {"topics": [topic]}) == {"topics": ["chat:other"]}
        published = await client.call("publish", {"topic": topic, "event": "hello", "payload": 1})
        # The products are nobody's to talk of.
        if takes != "products:read" and status is None:
            assert "reached" in published, topic
        else:
            assert published["error"]["status"] == (403 if takes == "products:read" else status), topic
    unknown = await client.call("no such event", {"topics": ["products"]})
    assert unknown["error"]["status"] == 404


@pytest.mark.parametrize("caller", BAD)
async def test_a_bad_token_ends_nothing(guarded: Emitter, caller: str) -> None:
    """What the standing token opened is heard as before."""
    async with guarded.client(auth(["products"], "products:read")) as client:
        await client.welcome()
        await _is_refused(client, caller)
        assert guarded.hub.position
        seq = guarded.hub.position.seq + 1
        assert (await guarded.post(live(seq, seq))).status_code == 200
        assert await client.seqs(1) == [seq]


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_socket_becomes_who_its_token_says(guarded: Emitter, caller: str) -> None:
    """`authenticate` takes any token that is good, and no other; from then on its topics are open."""
    shown = callers()[caller]
    async with guarded.client({"topics": ["chat:lobby"]}) as client:
        await client.welcome()
        answer = await client.call("authenticate", {} if shown is None else {"token": shown})
        if caller == "nobody":
            assert answer["error"]["status"] == 422
        elif caller in BAD:
            assert answer["error"]["status"] == 401
        else:
            assert answer["user"] == "ann"
        becomes = "nobody" if "error" in answer else caller
        for topic, takes in TOPICS.items():
            subscribed = await client.call("subscribe", {"topics": [topic]})
            assert subscribed.get("error", {}).get("status") == on_topic(takes, becomes), topic


def test_the_matrix_has_every_event_of_the_sockets() -> None:
    """A new event is not forgotten."""
    app = create_emitter(EmitterSettings.model_validate({"emitter_secret": SECRET, "jwt_secret": JWT_SECRET}))
    known = set(app.other_asgi_app.state.sockets.server.handlers["/"])
    assert known == {"subscribe", "unsubscribe", "publish", "authenticate", "*"}
