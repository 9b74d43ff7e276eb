"""Emitters that send clients elsewhere: in random order, at an even pace, and only those that are too many."""

import asyncio
import contextlib
import itertools
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from deploy.local.child import Program
from deploy.local.ports import HOST, free_ports
from tests.integration.cluster import all_at, clients, emitters
from tests.integration.emitter import SECRET, Emitter, RawClient
from tests.processes import Processes
from tests.redis_server import RedisServer
from tests.waiting import eventually
from ws_service.balancing.balancer import Balancer

CLIENTS = 30
DRAIN_S = 1.5


@pytest.fixture
async def two(redis: RedisServer) -> AsyncIterator[list[Emitter]]:
    async with emitters(2, redis.url, drain_seconds=DRAIN_S) as running:
        await running[0].open()
        await all_at(0, running)
        yield running


def crowd(emitter: Emitter) -> AbstractAsyncContextManager[list[RawClient]]:
    """Connect clients to one emitter."""
    return clients([emitter] * CLIENTS)


async def _ends(clients: list[RawClient]) -> list[float]:
    """Return when each connection ended, in the order of the clients."""

    async def end(client: RawClient) -> float:
        await client.closed()
        return time.monotonic()

    return await asyncio.gather(*map(end, clients))


async def test_a_drained_emitter_sends_all_away_at_an_even_pace(two: list[Emitter]) -> None:
    """It is unready at once, takes no new client, and spreads the end of its connections over the drain time."""
    async with crowd(two[0]) as clients:
        start = time.monotonic()
        begun = await two[0].http.post("/drain")
        assert (begun.status_code, begun.json()) == (
            HTTPStatus.ACCEPTED,
            {"state": "draining", "connections": CLIENTS, "shedding": CLIENTS},
        )
        assert (await two[0].http.get("/readyz")).json()["status"] == "draining"
        with pytest.raises(InvalidStatus, match="503"):
            async with two[0].client():
                pass
        ends = [end - start for end in await _ends(clients)]
        assert ends != sorted(ends)
        gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(ends))]
        assert max(gaps) < 10 * DRAIN_S / CLIENTS
        assert DRAIN_S / 2 < max(ends) < 2 * DRAIN_S
    async with two[1].client() as client:
        await client.welcome()


async def test_an_operator_may_send_some_away(two: list[Emitter]) -> None:
    """`POST /rebalance` sheds down to the target, and the emitter goes on taking clients."""
    async with crowd(two[0]) as clients:
        answer = await two[0].http.post("/rebalance", json={"target": 22})
        assert answer.json() == {"state": "ready", "connections": CLIENTS, "shedding": CLIENTS - 22}
        await eventually(lambda: len(two[0].hub.subscriptions) == 22, message="22 are left")
        assert sum(client.websocket.close_code is not None for client in clients) <= CLIENTS - 22
        async with two[0].client() as client:
            await client.welcome()
    refused = await two[0].http.post("/rebalance", json={"target": -1})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "target")


async def test_a_drain_waits_for_nothing_else(two: list[Emitter]) -> None:
    """It comes before a shedding that is under way, also one of a single client."""
    async with crowd(two[0]) as clients:
        assert (await two[0].http.post("/rebalance", json={"target": CLIENTS - 2})).is_success
        await eventually(lambda: len(two[0].hub.subscriptions) < CLIENTS, message="it sheds")
        start = time.monotonic()
        assert (await two[0].http.post("/drain")).is_success
        await _ends(clients)
        assert time.monotonic() - start < 1.5 * DRAIN_S


async def test_an_emitter_far_above_the_mean_sheds_by_itself(two: list[Emitter]) -> None:
    """All came to one of two: half of them are sent away, and no more."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(crowd(two[0]))
        await eventually(lambda: len(two[0].hub.subscriptions) == CLIENTS, message="half are left", timeout_s=15)
        await asyncio.sleep(2 * DRAIN_S)  # in which nobody else may be sent away
        assert len(two[0].hub.subscriptions) == CLIENTS


async def test_clients_are_told_where_to_go(redis: RedisServer) -> None:
    """`assign` names the emitter with the fewest clients, as JSON or as a redirection; any emitter can be asked."""
    async with (
        Emitter.running(redis_url=redis.url, instance="a", public_ws_url="http://a.example") as first,
        Emitter.running(redis_url=redis.url, instance="b", public_ws_url="http://b.example") as second,
    ):
        await first.open()
        async with crowd(first):
            await eventually(lambda: _counted(second, "a") == CLIENTS, message="its clients are known")
            await eventually(lambda: _counted(second, "b") == 0, message="the other is known")
            for emitter in (first, second):
                answer = await emitter.http.get("/websocket-service/assign")
                assert answer.json() == {"node": "b", "url": "http://b.example"}
            redirected = await second.http.get("/websocket-service/assign", params={"redirect": 1})
            assert redirected.status_code == HTTPStatus.TEMPORARY_REDIRECT
            assert redirected.headers["location"] == "http://b.example/websocket-service"


def _counted(emitter: Emitter, node: str) -> int | None:
    found = [beat for beat in emitter.nodes.present() if beat.node == node and beat.state == "ready"]
    return found[0].connections if found else None


async def test_what_dies_behind_an_emitter_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task ends unseen: a process without its balancer would neither drain nor stop."""

    async def die(_: Balancer) -> None:
        await asyncio.sleep(0.2)
        raise RuntimeError("a fault")

    monkeypatch.setattr(Balancer, "run", die)
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with Emitter.running():
            await asyncio.sleep(0.4)


async def test_a_lone_emitter_without_an_address_assigns_nobody() -> None:
    """The answer names the setting."""
    async with Emitter.running() as emitter:
        await emitter.open()
        answer = await emitter.http.get("/websocket-service/assign")
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "STORECAST_PUBLIC_WS_URL" in answer.json()["detail"]


async def test_a_process_drains_at_sigterm_and_ends_with_exit_code_0(redis: RedisServer, tmp_path: Path) -> None:
    """One of many gives its clients time; a second signal ends it at once."""
    ports = free_ports(2)
    programs = [_program(f"emitter-{port}", port, redis.url) for port in ports]
    with Processes(programs, tmp_path) as processes:
        processes.start_what_is_down()
        async with contextlib.AsyncExitStack() as stack:
            first, second = [await stack.enter_async_context(_outside(port)) for port in ports]
            await eventually(lambda: _reachable(first), message="the first listens", timeout_s=30)
            await eventually(lambda: _reachable(second), message="the second listens", timeout_s=30)
            await first.open()
            clients = [await stack.enter_async_context(first.client()) for _ in range(10)]
            for client in clients:
                await client.welcome()
            start = time.monotonic()
            process = processes[programs[0].name]
            process.send(signal.SIGTERM)
            ends = await _ends(clients)
            assert max(ends) - start > DRAIN_S / 2
            assert await process.ended() == 0
            # As many, of whom some stay for a while: the end of a single one may come at once.
            for client in [await stack.enter_async_context(second.client()) for _ in range(10)]:
                await client.welcome()
            process = processes[programs[1].name]
            process.send(signal.SIGTERM)
            await eventually(lambda: _is_draining(second), message="it drains")
            process.send(signal.SIGTERM)
            assert await process.ended() == 0


def _program(name: str, port: int, redis_url: str) -> Program:
    settings = {
        "PORT": str(port),
        "INSTANCE": name,
        "AUTH": "off",
        "EMITTER_SECRET": SECRET,
        "REDIS_URL": redis_url,
        "DRAIN_SECONDS": str(DRAIN_S),
    }
    variables = {f"STORECAST_{variable}": value for variable, value in settings.items()}
    return Program(name, f"http://{HOST}:{port}", (sys.executable, "-m", "ws_service"), variables)


@contextlib.asynccontextmanager
async def _outside(port: int) -> AsyncIterator[Emitter]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    url = f"http://{HOST}:{port}"
    async with (
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as http,
        httpx.AsyncClient(base_url=url, trust_env=False) as public,
    ):
        yield Emitter(f"{HOST}:{port}", None, http, public)


async def _reachable(emitter: Emitter) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await emitter.http.get("/livez")).is_success
    return False


async def _is_draining(emitter: Emitter) -> bool:
    return bool((await emitter.http.get("/readyz")).json()["status"] == "draining")
