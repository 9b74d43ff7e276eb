"""What is secret stands in no line of any log, and in no answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import socketio

from shared.emitter_api import EMIT_PATH
from tests.listening import Listener
from tests.mongod import Mongod, unused_database
from tests.system import System
from tests.tokens import JWT_SECRET, bad_tokens, token
from tests.waiting import eventually

EMITTER_SECRET = "an-emitter-secret-that-nobody-may-read"
SETTINGS: dict[str, Any] = {
    "auth": "jwt",
    "jwt_secret": JWT_SECRET,
    "emitter_secret": EMITTER_SECRET,
    "log_level": "debug",
    "jwt_leeway_seconds": 0,
}
SCOPES = "products:write messages:send operate"


@pytest.fixture(params=["nginx", "haproxy", "traefik"])
async def talkative(request: pytest.FixtureRequest, mongod: Mongod, tmp_path: Path) -> AsyncIterator[System]:
    """A whole Storecast that logs all it can, behind each proxy."""
    url = mongod.url(unused_database())
    async with System.running(tmp_path, url, replicas=2, gateway=request.param, **SETTINGS) as system:
        yield system


async def test_no_secret_and_no_token_is_told(talkative: System, tmp_path: Path) -> None:
    """Whatever is done with them, rightly or wrongly, and wherever they are put: header, body, handshake and URL."""
    good = token("ann", scope=SCOPES)
    bad = bad_tokens(scope=SCOPES)
    answers = [answer async for answer in _calls(talkative, [good, *bad.values()])]
    answers += [answer async for answer in _internal_calls(talkative, [EMITTER_SECRET, good, *bad.values()])]
    heard = await _sockets(talkative, good, list(bad.values()))
    # The database is taken away and comes back while they are called: errors of drivers are told, too.
    await talkative.kill("emitter-1")
    answers.append((await talkative.http.post("/messages", json=MESSAGE, headers=_bearer(good))).text)
    await talkative.restore()

    logs = _logs(tmp_path)
    assert any("answered" in text for text in logs.values()), "the log is talkative"
    for secret in (EMITTER_SECRET, JWT_SECRET, *(part for each in (good, *bad.values()) for part in _telling(each))):
        assert not [str(path) for path, text in logs.items() if secret in text], secret
        assert not [answer for answer in [*answers, *heard] if secret in answer], secret


MESSAGE = {"event": "hello", "payload": 1, "to": ["user:ann"]}


async def _calls(system: System, tokens: list[str]) -> AsyncIterator[str]:
    for each in tokens:
        headers = _bearer(each)
        for method, path, body in (
            ("POST", "/products", {"name": "a", "price": "1"}),
            ("POST", "/products", {"name": each[:200], "price": each}),
            ("POST", "/messages", MESSAGE),
            ("GET", f"/events?after={each[:90]}", None),
            ("DELETE", f"/products/{'0' * 24}", None),
        ):
            response = await system.http.request(method, path, json=body, headers=headers)
            yield response.text + str(response.headers)


async def _internal_calls(system: System, secrets: list[str]) -> AsyncIterator[str]:
    async with httpx.AsyncClient(base_url=system.emitter_url, trust_env=False, timeout=30) as http:
        for secret in secrets:
            for method, path in (("POST", EMIT_PATH), ("GET", "/connections"), ("GET", "/events/position")):
                response = await http.request(method, path, headers=_bearer(secret), content=b"{")
                yield response.text + str(response.headers)


async def _sockets(system: System, good: str, bad: list[str]) -> list[str]:
    """Connect with each token, by each transport; return what was heard of it."""
    heard: list[str] = []
    async with Listener(system.sockets_url or system.url, auth={"token": good}) as listener:
        await eventually(lambda: listener.client.messages("welcome"), message="the socket is greeted")
        heard.append(json.dumps(listener.client.lines))
    for each in bad:
        client = socketio.AsyncClient(reconnection=False)
        try:
            await client.connect(system.url, socketio_path="/websocket-service", auth={"token": each}, wait_timeout=30)
        except socketio.exceptions.ConnectionError as error:
            heard.append(str(error))
        finally:
            await client.disconnect()
    for each in (good, *bad):
        for path in ("sse", "raw"):
            url = f"{system.url}/websocket-service/{path}"
            for params, headers in (({"token": each}, {}), ({}, _bearer(each))):
                async with system.http.stream("GET", url, params=params, headers=headers) as answer:
                    if answer.is_error:
                        heard.append((await answer.aread()).decode())
                    else:
                        async with asyncio.timeout(30):
                            heard.append(await anext(answer.aiter_text()))
    return heard


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _telling(token: str) -> list[str]:
    # A signature is all that is secret of a token whose claims anyone can read; of one without, there is no secret.
    signature = token.rpartition(".")[2]
    return [signature] if len(signature) > 20 else []


def _logs(directory: Path) -> dict[Path, str]:
    return {path: path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file()}
