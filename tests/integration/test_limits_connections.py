"""Every connection is counted for as long as it is there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.events import live
from tests.integration.emitter import Emitter
from tests.limits import limited
from ws_service.engine import http

pytestmark = pytest.mark.usefixtures("still_windows")

SOCKETS = "/websocket-service"
POLLING = f"{SOCKETS}/?EIO=4&transport=polling"
WEBSOCKET = f"{SOCKETS}/?EIO=4&transport=websocket"


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Emitter]:
    async with Emitter.running(**settings) as emitter:
        await emitter.open()
        yield emitter


async def test_a_full_emitter_answers_those_without_whom_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its probes, and the relay; whoever else comes is told to come again."""
    monkeypatch.setattr(http, "SPARE_CONNECTIONS", 0)
    async with running(max_connections=3) as emitter, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(emitter.client()) for _ in range(3)]
        for client in clients:
            await client.welcome()
        before = limited("http_connections")
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await emitter.public.get(path)).status_code == 200
        assert (await emitter.post(live(1, 1))).status_code == 200
        assert [await client.seqs(1) for client in clients] == [[1]] * 3
        for path in (POLLING, f"{SOCKETS}/assign", "/connections", "/livez/"):
            answer = await emitter.public.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        with pytest.raises(InvalidStatus, match="503"):
            await connect(f"ws://{emitter.address}{WEBSOCKET}", proxy=None)
        assert limited("http_connections") == before + 5
        # Who says nothing makes room.
        host, port = emitter.address.split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(2 * http.RESERVED_CONNECTIONS)]
        assert (await emitter.public.get("/livez")).status_code == 200
        for _, writer in idle:
            writer.close()
