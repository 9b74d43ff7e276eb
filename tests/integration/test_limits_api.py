"""Every limit of the product API is reached, by the callers that it is for: what they are told, and what is counted."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api_service.app import create_app
from api_service.middleware import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES
from api_service.products.searches import MOST_SEARCHES
from api_service.server import create_server
from api_service.settings import Settings
from shared.problems import CONTENT_TYPE
from tests.integration.drafts import DRAFT
from tests.integration.http_server import Server
from tests.limits import limited
from tests.tokens import JWT_SECRET, token

pytestmark = pytest.mark.usefixtures("still_windows")

ID = "0" * 24
WRITES = [
    ("POST", "/products"),
    ("POST", "/products/batch"),
    ("PATCH", f"/products/{ID}"),
    ("DELETE", f"/products/{ID}"),
    ("POST", "/messages"),
    ("GET", "/operate/state"),
    ("POST", "/operate/drain"),
    ("POST", "/operate/rebalance"),
]
SCOPES = "products:write messages:send operate"
ONE, OTHER = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}


@contextlib.asynccontextmanager
async def running(settings: Settings, **fields: Any) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """Run a replica on a real port."""
    settings = settings.model_copy(update=fields)
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        Server.of(create_server(settings, app)) as server,
        httpx.AsyncClient(base_url=f"http://{server.host}:{server.port}", trust_env=False, timeout=30) as http,
    ):
        yield server, http


async def write(http: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
    return await http.request("DELETE", f"/products/{ID}", headers=headers)


def bearer(sub: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(sub, scope=SCOPES)}"}


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_one_caller_writes_so_often(api_settings: Settings, method: str, path: str) -> None:
    """Twice the rate may come at once, over all kinds of writes; then 429 with `Retry-After`. Reading goes on."""
    before = limited("writes")
    async with running(api_settings, writes_per_second=2) as (_, http):
        assert [(await write(http, {})).status_code for _ in range(4)] == [404] * 4
        refused = await http.request(method, path, json=DRAFT)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert refused.headers["Content-Type"] == CONTENT_TYPE
        assert refused.json()["detail"] == "at most 2 writes a second: send this one again in a second"
        assert limited("writes") == before + 1
        for _ in range(20):
            assert (await http.get("/products")).status_code == 200


async def test_callers_are_told_apart_by_their_tokens(api_settings: Settings) -> None:
    """Wherever they call from: one user has one rate, and another one another."""
    tokens = {"auth": "jwt", "jwt_secret": SecretStr(JWT_SECRET)}
    async with running(api_settings, writes_per_second=1, **tokens) as (_, http):
        assert [(await write(http, bearer("ann") | ONE)).status_code for _ in range(2)] == [404] * 2
        assert (await write(http, bearer("ann") | OTHER)).status_code == 429
        assert (await write(http, bearer("bob") | ONE)).status_code == 404


async def test_callers_without_a_token_are_told_apart_by_their_addresses(api_settings: Settings) -> None:
    """As a trusted proxy tells them, and not as they say themselves."""
    async with running(api_settings, writes_per_second=1) as (_, http):
        forged = [{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.1"} for number in range(3)]
        assert [(await write(http, headers)).status_code for headers in forged] == [404, 404, 429]
        assert (await write(http, OTHER)).status_code == 404


async def test_who_writes_too_often_is_refused_before_its_body_is_read(api_settings: Settings) -> None:
    """A body of 8 MiB need not be sent to hear it."""
    async with running(api_settings, writes_per_second=1) as (server, http), server.wire() as wire:
        for _ in range(2):
            await write(http, {})
        wire.send(f"POST /products/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BATCH_BODY_BYTES}\r\n\r\n")
        assert (await wire.answer()).status == 429


async def test_zero_is_no_limit(api_settings: Settings) -> None:
    """For who has other means, or one machine."""
    async with running(api_settings, writes_per_second=0) as (_, http):
        assert {(await write(http, {})).status_code for _ in range(300)} == {404}


@pytest.mark.parametrize(("path", "most"), [("/products", MAX_BODY_BYTES), ("/products/batch", MAX_BATCH_BODY_BYTES)])
async def test_a_body_has_so_many_bytes(api_settings: Settings, path: str, most: int) -> None:
    """413, whether the length is declared or the body only goes on and on."""
    before = limited("body")
    json_type = {"Content-Type": "application/json"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(most // 1024 + 1):
            yield b" " * 1024

    async with running(api_settings) as (server, http):
        assert (await http.post(path, content=b" " * most, headers=json_type)).status_code == 400
        assert (await http.post(path, content=chunks(), headers=json_type)).status_code == 413
        async with server.wire() as wire:
            wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            wire.send(f"Content-Length: {most + 1}\r\n\r\n")
            answer = await wire.answer()
        assert (answer.status, answer.headers["content-type"]) == (413, CONTENT_TYPE)
    assert limited("body") == before + 2


async def test_so_many_search_at_a_time(api_app: FastAPI, api: httpx.AsyncClient) -> None:
    """Anybody may have all of the catalogue read: who comes when many do is told to try again, and all else goes on."""
    before = limited("searches")
    searches = api_app.state.products._repository.searches  # noqa: SLF001  # no search is as slow as this takes
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MOST_SEARCHES):
            await stack.enter_async_context(searches.turn())
        answer = await api.get("/products", params={"q": "anything"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == CONTENT_TYPE
        assert limited("searches") == before + 1
        assert (await api.get("/products")).status_code == 200
        assert (await api.post("/products", json={"name": "x", "price": "1"})).status_code == 201
    assert (await api.get("/products", params={"q": "x"})).json()["items"]


async def test_a_body_that_comes_too_slowly_is_given_up(api_settings: Settings) -> None:
    """408, with the name of the replica that says so; nothing is stored, and nobody else waits."""
    before = limited("request_time")
    draft = json.dumps(DRAFT)
    async with running(api_settings, request_timeout_ms=300) as (server, http), server.wire() as wire:
        wire.send("POST /products HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        wire.send(f"Content-Length: {len(draft)}\r\n\r\n")
        answered = asyncio.create_task(wire.answer())
        for character in draft:
            if answered.done():
                break
            wire.send(character)
            await asyncio.sleep(0.02)
        answer = await answered
        assert (answer.status, answer.headers["content-type"]) == (408, CONTENT_TYPE)
        assert answer.headers["x-served-by"] == "api-under-test"
        assert (await http.get("/products")).json()["items"] == []
    assert limited("request_time") == before + 1


async def test_a_replica_has_so_many_connections(api_settings: Settings) -> None:
    """Those that ask for nothing make room for those that do."""
    before = limited("http_connections")
    async with running(api_settings, max_connections=20) as (server, http), contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(server.wire()) for _ in range(60)]
        assert (await http.get("/livez")).status_code == 200
        ended = [asyncio.create_task(wire.ended()) for wire in idle]
        await asyncio.wait(ended, timeout=1)
        assert sum(each.done() for each in ended) == 41
    assert limited("http_connections") == before + 41
