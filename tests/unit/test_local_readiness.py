import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.readiness import Missing, client, first_missing, missing_redis, wait_until
from deploy.local.system import System
from shared.errors import StartupError

SYSTEM = System(
    mongo_url="mongodb://db/storecast",
    mongods=[],
    emitters=[Program("emitter-1", "http://emitter", ())],
    replicas=[Program("api-1", "http://a", ()), Program("api-2", "http://b", ())],
    gateway=Program("gateway", "http://gateway", ()),
    socket_path="/websocket-service",
)

READY = {
    "http://a/readyz": {"status": "ready", "leader": "api-2", "log_end": 6},
    "http://b/readyz": {"status": "ready", "leader": "api-2", "log_end": 7},
    "http://emitter/readyz": {"status": "ready", "epoch": "e", "position": 7},
    "http://gateway/livez": {},
    "http://gateway/websocket-service/": '0{"sid":"abc"}',
}


class Web:
    """The services as the looks see them: a body for each address, and what was asked of them."""

    def __init__(self) -> None:
        self.answers: dict[str, object] = dict(READY)
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.asked.append(f"{request.method} {request.url} {request.read().decode()}".strip())
        answer = self.answers.get(str(request.url.copy_with(query=None)))
        if answer is None:
            raise httpx.ConnectError("refused")
        if isinstance(answer, int):
            return httpx.Response(answer)
        return httpx.Response(200, text=answer) if isinstance(answer, str) else httpx.Response(200, json=answer)


@pytest.fixture
def web() -> Web:
    """Services that are all ready."""
    return Web()


@pytest.fixture
async def http(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """A client of them."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(web)) as http:
        yield http


async def test_nothing_is_missing_when_all_answer(web: Web, http: httpx.AsyncClient) -> None:
    """Ready is found out by reading alone; the one session that was opened for it is closed again."""
    assert await first_missing(http, SYSTEM) is None
    assert [line for line in web.asked if not line.startswith("GET")] == [
        "POST http://gateway/websocket-service/?EIO=4&transport=polling&sid=abc 1"
    ]


async def test_an_empty_log_is_a_ready_one(web: Web, http: httpx.AsyncClient) -> None:
    """A fresh system has no event, and its emitter stands at zero."""
    for address in ("http://a/readyz", "http://b/readyz"):
        web.answers[address] = {"leader": "api-1", "log_end": None}
    web.answers["http://emitter/readyz"] = {"position": 0}
    assert await first_missing(http, SYSTEM) is None


@pytest.mark.parametrize(
    ("address", "answer", "missing"),
    [
        ("http://b/readyz", None, Missing("api-2", "is not ready")),
        ("http://b/readyz", 503, Missing("api-2", "is not ready")),
        ("http://b/readyz", "no JSON", Missing("api-2", "is not ready")),
        ("http://a/readyz", {"leader": None, "log_end": 7}, Missing("api-1", "sees no replica that leads")),
        ("http://emitter/readyz", 503, Missing("emitter-1", "has not been given the history")),
        ("http://emitter/readyz", {"position": None}, Missing("emitter-1", "has not been given the history")),
        ("http://emitter/readyz", {"position": 6}, Missing("emitter-1", "is at event 6 of 7")),
        ("http://gateway/livez", 502, Missing("gateway", "does not answer for the product API at http://gateway")),
        (
            "http://gateway/websocket-service/",
            502,
            Missing("gateway", "does not answer for the sockets at http://gateway"),
        ),
        (
            "http://gateway/websocket-service/",
            "<html>",
            Missing("gateway", "does not answer for the sockets at http://gateway"),
        ),
    ],
)
async def test_the_first_thing_missing_is_named(
    web: Web, http: httpx.AsyncClient, address: str, answer: object, missing: Missing
) -> None:
    """Whoever waits is told which child has not done what."""
    web.answers[address] = answer
    assert await first_missing(http, SYSTEM) == missing


async def test_waiting_ends_when_nothing_is_missing() -> None:
    """What is missing is told each time, and the end is silent."""
    seen = [Missing("api-1", "is not ready"), Missing("api-1", "sees no replica that leads")]
    told: list[Missing] = []
    looks = iter([*seen, None])

    async def look() -> Missing | None:
        return next(looks)

    assert await wait_until(look, time.monotonic() + 60, told.append) is None
    assert told == seen


async def test_waiting_ends_at_the_deadline() -> None:
    """What is still missing then is returned, to be reported."""
    missing = Missing("api-1", "is not ready")

    async def look() -> Missing:
        return missing

    assert await wait_until(look, time.monotonic(), lambda _: None) == missing


async def test_the_looks_ignore_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is for other hosts, not for this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with client() as http:
        assert not http.trust_env


class Redis:
    """A server that answers every command in the same way."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        while await reader.read(1024):
            writer.write(self._answer)
        writer.close()


@asynccontextmanager
async def redis_that_says(answer: bytes) -> AsyncIterator[System]:
    """Run such a server, and return a system that uses it."""
    async with await asyncio.start_server(Redis(answer), HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield dataclasses.replace(SYSTEM, redis_url=f"redis://:hunter2@{HOST}:{port}")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"-WRONGPASS invalid username-password pair\r\n", "WRONGPASS|invalid"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol Error"),
    ],
)
async def test_a_redis_that_does_not_let_us_in_ends_the_start(answer: bytes, message: str) -> None:
    """Waiting would change nothing. The line shows no password."""
    async with redis_that_says(answer) as system:
        with pytest.raises(StartupError, match=message) as error:
            await missing_redis(system)
    assert "hunter2" not in str(error.value)


async def test_a_redis_that_does_not_answer_is_waited_for() -> None:
    """An own one is called by its name, one that was given by its address, without its password."""
    given = dataclasses.replace(SYSTEM, redis_url="redis://:hunter2@127.0.0.1:1")
    missing = await missing_redis(given)
    assert missing is not None
    assert missing.child == "Redis at redis://***@127.0.0.1:1"
    assert missing.reason.startswith("does not answer (")
    own = dataclasses.replace(given, redis=Program("redis", "127.0.0.1:1", ()))
    missing = await missing_redis(own)
    assert missing is not None
    assert missing.child == "redis"
