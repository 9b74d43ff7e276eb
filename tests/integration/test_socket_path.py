"""The path of the sockets is a setting; on a host of its own it may be the root."""

import json
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from websockets.asyncio.client import connect

from tests.events import live
from tests.integration.emitter import Emitter

PATHS = ["/", "/live", "/deep/er/"]


class Place(NamedTuple):
    """An emitter, and the path of its sockets."""

    emitter: Emitter
    path: str

    def url(self, below: str, scheme: str = "http") -> str:
        """Return the URL of something below the path."""
        return f"{scheme}://{self.emitter.address}{self.path.rstrip('/')}{below}"


@pytest.fixture(params=PATHS)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with Emitter.running(socket_path=request.param) as emitter:
        await emitter.open()
        yield Place(emitter, request.param)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_engine_stands_at_the_path(place: Place, slash: str) -> None:
    """Engine.IO is spoken at the path, with a slash at its end and without one, by both transports."""
    polled = await place.emitter.public.get(place.url(slash), params={"EIO": "4", "transport": "polling"})
    assert polled.text.startswith('0{"sid":')
    async with connect(place.url(f"{slash}?EIO=4&transport=websocket", "ws"), proxy=None) as websocket:
        assert str(await websocket.recv()).startswith('0{"sid":')


async def test_listeners_stand_below_the_path(place: Place) -> None:
    """Server-sent events and plain websockets are found below it."""
    async with place.emitter.public.stream("GET", place.url("/sse")) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
    async with connect(place.url("/raw", "ws"), proxy=None) as websocket:
        assert json.loads(await websocket.recv())["event"] == "welcome"


async def test_nothing_else_is_below_it(place: Place) -> None:
    """What is not there is a problem document, and no session."""
    answer = await place.emitter.public.get(place.url("/other"), params={"EIO": "4", "transport": "polling"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_internal_calls_stay_where_they_are() -> None:
    """At the root, too, the relay and the probes find what they call."""
    async with Emitter.running(socket_path="/") as emitter:
        await emitter.open_with(5)
        assert (await emitter.post(live(6, 6))).status_code == 200
        assert (await emitter.http.get("/readyz")).json()["position"] == 6
