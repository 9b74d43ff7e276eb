"""Operators who reach just any emitter, and mean one of them."""

import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.integration.cluster import all_at, clients, emitters
from tests.integration.emitter import Emitter
from tests.redis_server import RedisServer
from tests.waiting import eventually, quick

CLIENTS = 4


@pytest.fixture
async def three(redis: RedisServer) -> AsyncIterator[list[Emitter]]:
    async with emitters(3, redis.url, drain_seconds=0.2) as running:
        await running[0].open()
        await all_at(0, running)
        yield running


async def status(emitter: Emitter) -> Any:
    return (await emitter.http.get("/readyz")).json()["status"]


def left(running: list[Emitter]) -> list[int]:
    return [len(emitter.hub.subscriptions) for emitter in running]


async def test_the_emitter_that_is_named_drains_whichever_is_asked(three: list[Emitter]) -> None:
    """Its clients are sent away, and those of the one that was asked, and of a third, stay."""
    async with clients(three * CLIENTS):
        begun = await three[0].http.post("/drain", json={"node": "emitter-2"})
        assert (begun.status_code, begun.json()) == (
            HTTPStatus.ACCEPTED,
            {"state": "draining", "connections": CLIENTS, "shedding": CLIENTS},
        )
        await eventually(lambda: left(three) == [CLIENTS, 0, CLIENTS], message="its clients are sent away")
        assert [await status(emitter) for emitter in three] == ["ready", "draining", "ready"]


async def test_the_emitter_that_is_named_sheds_down_to_the_target(three: list[Emitter]) -> None:
    """It goes on taking clients."""
    async with clients(three * CLIENTS):
        begun = await three[2].http.post("/rebalance", json={"node": "emitter-1", "target": 1})
        assert begun.json() == {"state": "ready", "connections": CLIENTS, "shedding": CLIENTS - 1}
        await eventually(lambda: left(three) == [1, CLIENTS, CLIENTS], message="all but one are sent away")


async def test_an_order_waits_for_nobody_but_whom_it_is_for(three: list[Emitter]) -> None:
    """One that hangs does not delay what another does, nor what it says to that."""
    ghost = three[0].nodes.present()[0].model_copy(update={"id": "x", "node": "emitter-9"})

    async def order() -> float:
        three[0].nodes.hear(ghost)
        start = time.monotonic()
        begun = await three[0].http.post("/rebalance", json={"node": "emitter-2", "target": 7})
        assert begun.status_code == HTTPStatus.ACCEPTED
        return time.monotonic() - start

    await quick(order, under_s=1.5, message="the answer of the one that is named")


async def test_a_drain_goes_on_whatever_is_asked_meanwhile(redis: RedisServer) -> None:
    """Its pace does not begin anew, and the answer tells that all clients go."""
    async with emitters(1, redis.url, drain_seconds=30) as [emitter]:
        await emitter.open()
        async with clients([emitter] * CLIENTS):
            assert (await emitter.http.post("/drain")).status_code == HTTPStatus.ACCEPTED
            left = (await emitter.http.post("/rebalance", json={"target": 1})).json()
            assert (left["state"], left["shedding"]) == ("draining", left["connections"])


@pytest.mark.parametrize(("path", "more"), [("/drain", {}), ("/rebalance", {"target": 0})])
async def test_an_emitter_that_is_not_there_is_said_to_be_none(
    three: list[Emitter], path: str, more: dict[str, int]
) -> None:
    """422 that names the field, and nobody is sent away. One that is there and silent is 503: it may do it later."""
    refused = await three[0].http.post(path, json={"node": "emitter-9", **more})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "node")
    beat = three[0].nodes.present()[0].model_copy(update={"id": "x", "node": "emitter-9"})
    three[0].nodes.hear(beat)
    silent = await three[0].http.post(path, json={"node": "emitter-9", **more})
    assert (silent.status_code, "emitter-9 does not answer" in silent.json()["detail"]) == (503, True)
    assert [await status(emitter) for emitter in three] == ["ready"] * 3


async def test_a_lone_emitter_knows_its_own_name() -> None:
    """The caller need not know whether there are others."""
    async with Emitter.opened() as emitter:
        for path, order in (("/drain", {}), ("/rebalance", {"target": 0})):
            refused = await emitter.http.post(path, json={"node": "emitter-2", **order})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "node")
        answer = await emitter.http.post("/rebalance", json={"node": "emitter-1", "target": 3})
        assert answer.json() == {"state": "ready", "connections": 0, "shedding": 0}
        assert (await emitter.http.post("/drain", json={"node": "emitter-1"})).json()["state"] == "draining"
