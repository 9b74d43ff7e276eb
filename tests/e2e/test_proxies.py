"""Each proxy in front of three emitters: who is led where, and what a stranger can reach."""

import asyncio
import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from deploy.local.gateway import PROXIES, Choice
from tests.e2e.test_gateway import DISGUISES, KIB, PROBLEM, product_of, request
from tests.listening import Hearing, Listener
from tests.mongod import Mongod, unused_database
from tests.polling import Session, ask, leads_to_all
from tests.system import System, require_gateway
from tests.up import Up
from tests.waiting import TRIES, eventually

EMITTERS = {"emitter-1", "emitter-2", "emitter-3"}
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrading": ["polling", "websocket"]}
SMALLEST_SHARE, LARGEST_SHARE = 0.25, 0.41


@pytest.fixture(scope="module", params=PROXIES)
async def gateway(
    request: pytest.FixtureRequest, mongod: Mongod, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """A whole Storecast with three emitters behind each proxy; a test takes it as `proxied`."""
    folder = tmp_path_factory.mktemp(request.param)
    async with System.running(
        folder, mongod.url(unused_database()), replicas=2, emitters=3, gateway=request.param
    ) as system:
        yield system


@pytest.fixture
async def proxied(gateway: System) -> System:
    """A whole Storecast behind a proxy, in which all runs, and which the proxy has noticed."""
    await gateway.restore()
    return gateway


@pytest.fixture
async def name(gateway: System) -> str:
    """The proxy's name."""
    return Path(gateway.processes["gateway"].program.command[0]).name


def nodes(clients: list[Hearing]) -> Counter[str]:
    """Return how many clients each emitter greeted."""
    return Counter(client.messages("welcome")[0]["node"] for client in clients)


def is_balanced(clients: list[Hearing]) -> bool:
    """Whether each of three emitters has its share of the clients."""
    shares = [count / len(clients) for count in nodes(clients).values()]
    return len(shares) == len(EMITTERS) and SMALLEST_SHARE <= min(shares) <= max(shares) <= LARGEST_SHARE


def was_interrupted(client: Hearing) -> bool:
    """Whether a client lost a connection, or could not make one."""
    return bool(client.of("disconnect") or client.of("connect_error"))


@asynccontextmanager
async def clients(origin: str, count: int, transports: list[str], **options: Any) -> AsyncIterator[list[Hearing]]:
    """Connect stock clients, which keep the proxy's cookie as a browser does."""
    async with Listener(origin, count=count, transports=transports, withCredentials=True, **options) as listener:
        yield listener.clients


@asynccontextmanager
async def balanced_clients(origin: str, **counts: int) -> AsyncIterator[list[Hearing]]:
    """Connect so many clients of each transport, of which each emitter has its share.

    Again, up to a few times, where it has not: on a busy machine one emitter stands still for a moment, and whoever
    comes then is rightly led to the others.
    """
    spread = []
    for _ in range(TRIES):
        async with AsyncExitStack() as stack:
            groups = [
                await stack.enter_async_context(clients(origin, count, TRANSPORTS[transport]))
                for transport, count in counts.items()
            ]
            heard = [client for group in groups for client in group]
            if is_balanced(heard):
                yield heard
                return
            spread.append(dict(nodes(heard)))
    raise AssertionError(f"never balanced: {spread}")


@asynccontextmanager
async def restarted(system: System, name: str) -> AsyncIterator[None]:
    """Start a process anew in the end, whatever a test has done to it."""
    try:
        yield
    finally:
        await system.restart(name)


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_every_client_connects_and_hears_everything_once(proxied: System, transports: list[str]) -> None:
    """Over each transport stock clients connect at once, to all emitters, stay there and hear each product once."""
    async with clients(proxied.url, 18, transports) as heard:
        assert nodes(heard).keys() == EMITTERS
        created = [product["id"] for product in await proxied.create_many(3)]
        for client in heard:
            await client.heard(3)
        assert {tuple(event.payload["id"] for event in client.numbered) for client in heard} == {tuple(created)}
        assert not [client.name for client in heard if was_interrupted(client)]


async def test_a_session_stays_where_it_was_opened(proxied: System) -> None:
    """The cookie leads later requests of a session to its emitter; that of another emitter does not."""
    sessions = {session.emitter: session for session in [await Session.open(proxied.url) for _ in range(9)]}
    for one, other in itertools.permutations(sessions, 2):
        assert await sessions[one].close(other) == HTTPStatus.BAD_REQUEST
    for session in sessions.values():
        assert await session.close() == HTTPStatus.OK
        assert "HttpOnly" in session.cookie
        assert "SameSite=Lax" in session.cookie


async def test_a_handshake_is_balanced_anew(proxied: System) -> None:
    """A client that comes back with a cookie is not led back by it: it was shed, or its emitter ends."""
    first = await Session.open(proxied.url)
    reached = {first.emitter}

    async def everywhere() -> bool:
        # Traefik takes the emitter with fewer requests of two that it draws: any number of handshakes may miss one.
        session = await Session.open(proxied.url, Cookie=first.emitter)
        assert await session.close() == HTTPStatus.OK
        reached.add(session.emitter)
        return len(reached) == len(EMITTERS)

    await eventually(everywhere, message="each emitter is reached with the cookie of one")
    assert await first.close() == HTTPStatus.OK


async def test_a_cookie_that_was_made_up_leads_nowhere_else(proxied: System, name: str) -> None:
    """Whatever a cookie says, its request reaches an emitter, and nothing but an emitter."""
    for value in ("127.0.0.1:22", "api-1", "http://127.0.0.1:1/", "emitter-9", "%0d%0aX: y", ""):
        session = await Session.open(proxied.url)
        assert await session.close(f"storecast_emitter={value}") in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST}, name


async def test_no_stranger_reaches_an_emitter(proxied: System) -> None:
    """The emitter's own calls are out of reach, however their paths are written, even with the right secret."""
    headers = {"Authorization": f"Bearer {proxied.secret}", "Content-Type": "application/json"}
    calls = {
        "/emit": ("POST", json.dumps({"event": "breach", "payload": 1})),
        "/events": ("POST", json.dumps({"epoch": "e", "events": []})),
        "/events/position": ("GET", None),
        "/connections": ("GET", None),
        "/drain": ("POST", "{}"),
        "/rebalance": ("POST", json.dumps({"target": 0})),
    }
    for path, (method, body) in calls.items():
        for disguise in (*DISGUISES, "/websocket-service/sse/..{}", "/websocket-service/raw/%2e%2e{}"):
            for written in (disguise.format(path), disguise.format(f"/%{ord(path[1]):x}{path[2:]}")):
                answer = await request(proxied.url, method, written, body, **headers)
                assert answer.status in {400, 401, 404, 405, 422}, (written, answer)
                assert b"reached" not in answer.body
                assert b'"position"' not in answer.body


async def test_a_client_cannot_forge_where_it_comes_from(proxied: System) -> None:
    """Forwarded headers are set by the proxy: a page of another origin gets no session by naming that origin."""
    forged = {
        "Origin": "http://evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "Forwarded": "host=evil.example",
    }
    assert (await ask(proxied.url, **forged)).status_code == HTTPStatus.BAD_REQUEST
    assert (await ask(proxied.url, Origin=proxied.url)).status_code == HTTPStatus.OK


@pytest.mark.parametrize("path", ["metrics", "readyz", "livez", "../metrics", "%2e%2e/metrics", "/../metrics"])
async def test_the_probes_of_an_emitter_are_not_to_be_had(proxied: System, path: str) -> None:
    """Below the socket path there are only the sockets; what a path leads to by going up is the API's."""
    answer = await request(proxied.url, "GET", f"/websocket-service/{path}")
    assert answer.status >= HTTPStatus.BAD_REQUEST or answer.headers["X-Served-By"] in proxied.api_urls


@pytest.mark.parametrize(("path", "size"), [("/products", 64 * KIB), ("/products/batch", 8 * KIB * KIB)])
async def test_a_body_has_a_limit(proxied: System, name: str, path: str, size: int) -> None:
    """One byte more is refused with a problem, by nginx and HAProxy before it is sent; so many arrive."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size + 1}\r\n\r\n"
    reader, writer = await asyncio.open_connection(*proxied.url.removeprefix("http://").split(":"))
    writer.write(head.encode())
    if name == "traefik":  # it leaves bodies to the services
        writer.write(b" " * (size + 1))
    refused = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode().lower()
    writer.close()
    await writer.wait_closed()
    assert refused.startswith("http/1.1 413 ")
    assert PROBLEM in refused
    answer = await proxied.http.post(path, content=product_of(size), headers={"Content-Type": "application/json"})
    assert answer.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_hundreds_of_clients_are_spread_and_hear_everything_in_order(proxied: System) -> None:
    """Polling and upgrading clients together: no emitter has more than 41 % of them, each hears all once, in order."""
    async with balanced_clients(proxied.url, polling=100, upgrading=200) as heard:
        created = [product["id"] for product in await proxied.create_many(10)]
        for client in heard:
            await client.heard(len(created))
        assert {tuple(event.payload["id"] for event in client.numbered) for client in heard} == {tuple(created)}


async def test_a_draining_emitter_hands_its_clients_over(proxied: System) -> None:
    """Each of its clients comes back once, at another emitter; new ones never see it; the others notice nothing."""
    async with (
        restarted(proxied, "emitter-1"),
        clients(proxied.url, 9, ["websocket"]) as direct,
        clients(proxied.url, 9, ["polling"]) as polling,
    ):
        everyone = [*direct, *polling]
        sent_away = [client for client in everyone if nodes([client]).keys() == {"emitter-1"}]
        assert sent_away
        secret = {"Authorization": f"Bearer {proxied.secret}"}
        answer = await proxied.http.post(f"{proxied.emitter_urls['emitter-1']}/drain", headers=secret)
        assert answer.status_code == HTTPStatus.ACCEPTED
        async with clients(proxied.url, 9, ["polling"]) as fresh:
            assert "emitter-1" not in nodes(fresh)
            for client in sent_away:
                await client.welcomed(2)
            product = await proxied.create("after the drain")
            for client in (*everyone, *fresh):
                assert [event.payload["id"] for event in await client.heard(1)] == [product["id"]]
            assert "emitter-1" not in {client.messages("welcome")[-1]["node"] for client in everyone}
            assert {len(client.of("disconnect")) for client in sent_away} == {1}
            assert not [client.name for client in fresh if was_interrupted(client)]
        assert not [client.name for client in everyone if client not in sent_away and was_interrupted(client)]


async def test_a_dead_emitter_costs_nobody_a_connection(proxied: System) -> None:
    """Its clients come back at the others, over each transport, and new ones never meet it."""
    async with clients(proxied.url, 6, ["websocket"]) as direct, clients(proxied.url, 6, ["polling"]) as polling:
        [lost, *_] = nodes(polling)
        before = {client.name: client for client in (*direct, *polling) if nodes([client]).keys() == {lost}}
        await proxied.kill(lost)
        for client in before.values():
            await client.welcomed(2)
            assert client.messages("welcome")[-1]["node"] != lost
        async with clients(proxied.url, 12, ["websocket"]) as fresh:
            assert lost not in nodes(fresh)
            assert not [client.name for client in fresh if was_interrupted(client)]
        untouched = [client for client in (*direct, *polling) if client.name not in before]
        assert not [client.name for client in untouched if was_interrupted(client)]


async def test_the_api_is_taken_in_turn_as_far_as_it_is_there(proxied: System, name: str) -> None:
    """Round robin over the replicas; one that died costs no request; without any, the gateway says so as a problem."""
    served = Counter([(await proxied.http.get("/products")).headers["X-Served-By"] for _ in range(20)])
    assert set(served.values()) == {10}
    first, second = proxied.api_urls
    await proxied.kill(first)
    answers = [await proxied.http.get("/products") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    await proxied.kill(second)
    answer = await proxied.http.get("/products")
    assert answer.status_code in {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
    if name != "traefik":  # its own answers are plain text
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.headers["Retry-After"] == "1"


async def test_emitters_that_are_not_ready_keep_their_sessions(proxied: System, name: str) -> None:
    """While Redis is away the emitters are deaf: no new session is opened, those that there are live on."""
    if name == "nginx":
        pytest.skip("nginx asks no emitter whether it is ready")
    async with clients(proxied.url, 6, ["polling"]) as polling, clients(proxied.url, 3, ["websocket"]) as direct:
        session = await Session.open(proxied.url)
        await proxied.kill("redis")

        async def refused() -> bool:
            return (await ask(proxied.url)).status_code == HTTPStatus.SERVICE_UNAVAILABLE

        await eventually(refused, message="no new session is opened")
        assert await session.close() == HTTPStatus.OK
        proxied.start("redis")
        await proxied.create("after Redis")
        for client in (*polling, *direct):
            await client.heard(1)
            assert not was_interrupted(client)


@pytest.mark.parametrize("gateway", PROXIES)
async def test_sockets_at_the_root_of_their_own_origin(gateway: Choice, database_url: str, tmp_path: Path) -> None:
    """With the path "/" the gateway has a second port, where the sockets are, and nothing else; the page knows it."""
    running = System.running(tmp_path, database_url, 1, gateway=gateway, socket_path="/")
    async with running as system:
        origin = (await system.http.get("/config.json")).json()["socket_url"]
        assert origin == system.sockets_url != system.url
        for transports in TRANSPORTS.values():
            async with clients(origin, 2, transports, path="/") as heard:
                assert not [client.name for client in heard if was_interrupted(client)]
        assert (await request(origin, "GET", "/assign")).status == HTTPStatus.OK
        for path in ("/emit", "/metrics", "/readyz", "/events/position", "/sse/../metrics", "/%6detrics", "/products"):
            assert (await request(origin, "GET", path)).status == HTTPStatus.NOT_FOUND, path
        assert (await system.http.get("/")).headers["Content-Type"].startswith("text/html")


async def test_three_emitters_as_a_person_starts_them(tmp_path: Path) -> None:
    """`storecast up --emitters 3 --gateway haproxy`: 300 websockets are spread and hear all; a killed Redis is back."""
    require_gateway("haproxy")
    options = ("--emitters", "3", "--replicas", "1", "--gateway", "haproxy")
    async with Up.started(tmp_path / "data", *options) as up:
        assert up.pids().keys() == {"mongod", "redis", *EMITTERS, "api-1", "gateway"}
        await eventually(lambda: leads_to_all(up.origin, len(EMITTERS)), message="HAProxy has found all emitters")
        async with balanced_clients(up.origin, websocket=300) as heard:
            await create(up, range(10))
            before = up.pids()["redis"]
            os.kill(before, signal.SIGKILL)
            await eventually(lambda: up.pids().get("redis", before) != before, message="Redis is back")
            await create(up, range(10, 20))
            for client in heard:
                await client.heard(20)
            told = {tuple(event.payload["name"] for event in client.numbered) for client in heard}
            assert told == {tuple(f"product {number}" for number in range(20))}


async def create(up: Up, numbers: range) -> None:
    """Create products one after the other."""
    for number in numbers:
        assert (await up.create(f"product {number}")).status_code == HTTPStatus.CREATED
