"""What is secret stands in no line of any log, and in no answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import socketio
from pymongo import MongoClient

from deploy.local.child import Program
from shared.emitter_api import EMIT_PATH
from tests.listening import SOCKET_PATH, Listener
from tests.mongod import Mongod, unused_database
from tests.system import System
from tests.tokens import JWT_SECRET, bad_tokens, token
from tests.waiting import eventually

EMITTER_SECRET = "an-emitter-secret-that-nobody-may-read"
EMITTER_SECRET_PREVIOUS = "the-emitter-secret-before-it"
JWT_SECRET_PREVIOUS = "the-secret-of-tokens-before-the-rotation"
MONGO_PASSWORD = "a-password-for-MongoDB"
REDIS_PASSWORD = "a-password-for-Redis"
SECRETS = (EMITTER_SECRET, EMITTER_SECRET_PREVIOUS, JWT_SECRET, JWT_SECRET_PREVIOUS, MONGO_PASSWORD, REDIS_PASSWORD)
SETTINGS: dict[str, Any] = {
    "auth": "jwt",
    "jwt_secret": JWT_SECRET,
    "emitter_secret": EMITTER_SECRET,
    "log_level": "debug",
    "jwt_leeway_seconds": 0,
}
SCOPES = "products:write messages:send operate"


class Secretive(System):
    """A system whose programs have all the secrets there are."""

    @classmethod
    def as_run(cls, program: Program) -> Program:
        """Add them. A Redis without users takes any password for its default one."""
        redis_url = program.environment.get("STORECAST_REDIS_URL", "")
        own = {
            "STORECAST_EMITTER_SECRET_PREVIOUS": EMITTER_SECRET_PREVIOUS,
            "STORECAST_JWT_SECRET_PREVIOUS": JWT_SECRET_PREVIOUS,
            "STORECAST_REDIS_URL": redis_url.replace("//", f"//default:{REDIS_PASSWORD}@"),
        }
        return replace(program, environment={**program.environment, **own})


async def _url_with_password(mongod: Mongod) -> str:
    """Return the connection string of a database with a user: MongoDB lets one log in also where nobody has to."""
    database = unused_database()
    url = mongod.url(database)

    def add() -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(url)
        with client:
            client[database].command("createUser", "storecast", pwd=MONGO_PASSWORD, roles=["readWrite"])

    await asyncio.to_thread(add)
    return url.replace("//", f"//storecast:{MONGO_PASSWORD}@")


@pytest.fixture(params=[("nginx", 2), ("haproxy", 1), ("traefik", 1)], ids=lambda param: param[0])
async def talkative(request: pytest.FixtureRequest, mongod: Mongod, tmp_path: Path) -> AsyncIterator[System]:
    """A whole Storecast that logs all it can, behind each proxy; behind one of them the emitters share a Redis."""
    gateway, emitters = request.param
    async with Secretive.running(
        tmp_path,
        await _url_with_password(mongod),
        replicas=2,
        emitters=emitters,
        gateway=gateway,
        **SETTINGS,
    ) as system:
        yield system


async def test_no_secret_and_no_token_is_told(talkative: System, tmp_path: Path) -> None:
    """Whatever is done with them, rightly or wrongly, and wherever they are put: header, body, handshake and URL."""
    good = token("ann", scope=SCOPES)
    previous = token("ann", secret=JWT_SECRET_PREVIOUS, scope=SCOPES)
    bad = bad_tokens(scope=SCOPES)
    answers = [answer async for answer in _calls(talkative, [good, previous, *bad.values()])]
    shown = [EMITTER_SECRET, EMITTER_SECRET_PREVIOUS, good, *bad.values()]
    answers += [answer async for answer in _internal_calls(talkative, shown)]
    heard = await _sockets(talkative, good, list(bad.values()))
    # What is called is taken away and comes back: errors of clients and drivers are told, too.
    for name in (*talkative.emitter_urls, *(["redis"] if len(talkative.emitter_urls) > 1 else [])):
        await talkative.kill(name)
    for path, body in (("/messages", MESSAGE), ("/operate/rebalance", REBALANCE)):
        answers.append((await talkative.http.post(path, json=body, headers=_bearer(good))).text)
    await talkative.restore()

    logs = _logs(tmp_path)
    assert any("answered" in text for text in logs.values()), "the log is talkative"
    for secret in (*SECRETS, *(part for each in (good, previous, *bad.values()) for part in _telling(each))):
        assert not [str(path) for path, text in logs.items() if secret in text], secret
        assert not [answer for answer in [*answers, *heard] if secret in answer], secret


MESSAGE = {"event": "hello", "payload": 1, "to": ["user:ann"]}
REBALANCE = {"node": "emitter-1", "target": 1_000}


async def _calls(system: System, tokens: list[str]) -> AsyncIterator[str]:
    for each in tokens:
        headers = _bearer(each)
        for method, path, body in (
            ("POST", "/products", {"name": "a", "price": "1"}),
            ("POST", "/products", {"name": each[:200], "price": each}),
            ("POST", "/messages", MESSAGE),
            ("GET", f"/events?after={each[:90]}", None),
            ("GET", "/operate/state", None),
            ("POST", "/operate/rebalance", REBALANCE),
            ("POST", "/operate/drain", {"node": each[:100]}),
            ("GET", "/metrics", None),
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
    # With cookies: by them a gateway knows which of several emitters a client that polls is at.
    async with Listener(system.sockets_url or system.url, auth={"token": good}, withCredentials=True) as listener:
        await eventually(lambda: listener.client.messages("welcome"), message="the socket is greeted")
        heard.append(json.dumps(listener.client.lines))
    async with _client(system) as client:
        heard += [json.dumps(await client.call("authenticate", {"token": each}, timeout=30)) for each in (*bad, good)]
    for each in bad:
        with pytest.raises(socketio.exceptions.ConnectionError) as refused:
            async with _client(system, token=each):
                pass
        heard.append(str(refused.value))
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


@asynccontextmanager
async def _client(system: System, **auth: str) -> AsyncIterator[socketio.AsyncClient]:
    # By a cookie the gateway knows which emitter is polled; aiohttp's own jar takes none from an address.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        client = socketio.AsyncClient(reconnection=False, http_session=session)
        try:
            await client.connect(system.url, socketio_path=SOCKET_PATH, auth=auth, wait_timeout=30)
            yield client
        finally:
            await client.disconnect()


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _telling(token: str) -> list[str]:
    # A signature is all that is secret of a token whose claims anyone can read; of one without, there is no secret.
    signature = token.rpartition(".")[2]
    return [signature] if len(signature) > 20 else []


def _logs(directory: Path) -> dict[Path, str]:
    return {path: path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file()}
