"""Clients whose tokens are signed with a key that has to be looked up first, and what happens meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from shared.identity.keys import Keys
from shared.serving import key_set
from tests.identity_provider import ISSUER, Provider, signed
from tests.integration.emitter import Emitter
from tests.waiting import eventually

SOCKETS = "/websocket-service"
HEADERS = {"Authorization": f"Bearer {signed('one')}"}


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    """One that has been asked for its keys, and takes as long as a test likes."""
    monkeypatch.setattr(key_set, "_PATIENCE_S", 60)
    monkeypatch.setattr(key_set, "_TIMEOUT_S", 60)
    async with Provider.running() as provider:
        provider.answers.clear()
        yield provider


@contextlib.asynccontextmanager
async def emitter_of(provider: Provider, **fields: int) -> AsyncIterator[Emitter]:
    identity = {"auth": "jwt", "jwks_url": provider.url, "jwt_issuer": ISSUER}
    async with Emitter.opened(**identity, **fields) as emitter:
        await eventually(lambda: provider.asked, message="it asks for the keys")
        yield emitter


async def sse(emitter: Emitter) -> int:
    """Listen, and return what the request is answered with; the stream stays open."""
    request = emitter.public.build_request("GET", f"{SOCKETS}/sse", headers=HEADERS)
    return (await emitter.public.send(request, stream=True)).status_code


async def raw(emitter: Emitter) -> int:
    """Open a websocket, and return what the handshake is answered with; it stays open."""
    try:
        await connect(f"ws://{emitter.address}{SOCKETS}/raw", proxy=None, additional_headers=HEADERS)
    except InvalidStatus as refused:
        return refused.response.status_code
    return 200


Way = Callable[[Emitter], Coroutine[None, None, int]]
each_way = pytest.mark.parametrize("way", [sse, raw], ids=lambda way: way.__name__)


def counted(emitter: Emitter) -> int:
    return len(emitter.sockets.server.eio.admission)


class Lookups:
    """Those that have begun and ended."""

    def __init__(self, keys: Keys) -> None:
        self._look_up = keys.renewed
        self.begun = self.ended = 0
        keys.renewed = self.renewed  # type: ignore[method-assign]  # to know when somebody waits

    async def renewed(self) -> None:
        """Wait as ever."""
        self.begun += 1
        try:
            await self._look_up()
        finally:
            self.ended += 1


async def come(emitter: Emitter, way: Way, count: int) -> tuple[list[asyncio.Task[int]], Lookups]:
    """Have clients come, and return when all of them wait."""
    lookups = Lookups(emitter.tokens.keys)
    clients = [asyncio.create_task(way(emitter)) for _ in range(count)]
    await eventually(lambda: lookups.begun == count, message="all wait for the key")
    assert counted(emitter) == 0
    return clients, lookups


@each_way
async def test_who_waits_for_a_key_is_taken_when_it_is_there(provider: Provider, way: Way) -> None:
    """And is who the token says: what is for that user reaches it."""
    async with emitter_of(provider) as emitter:
        [client], _ = await come(emitter, way, 1)
        provider.answers.set()
        assert await client == 200
        await eventually(lambda: emitter.hub.subscriptions.named("user:ann"), message="it is in its room")
        assert counted(emitter) == 1


@each_way
async def test_an_emitter_that_fills_meanwhile_takes_no_more_than_it_may(provider: Provider, way: Way) -> None:
    """Who waits has no place yet: of many that wait, as many are taken as there is room for."""
    async with emitter_of(provider, max_connections=3) as emitter:
        clients, _ = await come(emitter, way, 10)
        provider.answers.set()
        statuses = [await client for client in clients]
        assert sorted(statuses) == [200] * 3 + [503] * 7
        assert counted(emitter) == 3


@each_way
async def test_an_emitter_that_drains_meanwhile_takes_nobody(provider: Provider, way: Way) -> None:
    """It has seen to those who were there when it began: who comes in later would be cut off without a word."""
    async with emitter_of(provider) as emitter:
        clients, _ = await come(emitter, way, 2)
        assert (await emitter.http.post("/drain")).is_success
        provider.answers.set()
        assert [await client for client in clients] == [503, 503]
        assert counted(emitter) == 0


@each_way
async def test_who_goes_meanwhile_leaves_nothing(provider: Provider, way: Way) -> None:
    """A client that was not waited for: it is neither counted nor among the subscribers, nor in the way of others."""
    async with emitter_of(provider) as emitter:
        clients, lookups = await come(emitter, way, 3)
        for client in clients:
            client.cancel()
        await asyncio.wait(clients)
        provider.answers.set()
        await eventually(lambda: lookups.ended == 3, message="their lookups are over")
        await eventually(lambda: counted(emitter) == 0, message="nobody is counted")
        assert await way(emitter) == 200
        await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 1, message="who stays is there alone")
