"""Honest clients, in a process of their own: how long each waits for each product that is created meanwhile.

They speak websocket, Engine.IO 4 and Socket.IO 5 by hand, so that what is measured is the server and not they.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import uvloop

from tests.waiting import eventually

_MARK = b"honest-"
_PING = b"\x81\x012"
# Client frames are masked (RFC 6455, section 5.3); with this mask they stay what they are.
_PONG = b"\x81\x81\0\0\0\x003"
_CONNECT = b"\x81\x82\0\0\0\x0040"
# Not small: what waits for who does not read is made of these.
_PRODUCT = {"price": "1", "description": "x" * 4_000}
_EACH_S = 0.2
_PAUSE_S = 0.03  # all come from one address, which may not come faster
_HEARD_WITHIN_S = 10.0


class Client(asyncio.Protocol):
    """One client. It calls `hear` with the number of each product."""

    def __init__(self, request: bytes, hear: Callable[[int], None]) -> None:
        self._request = request
        self._hear = hear
        self._seen = b""
        self._cut = b""
        self._asks = False
        self.is_greeted = False
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what comes, however it was cut."""
        if _PING in self._cut + data:  # alone, with an event before or behind it, or in two pieces
            self._transport.write(_PONG)
        self._cut = data[1 - len(_PING) :]
        self._seen += data
        if not self._asks and b'0{"sid"' in self._seen:
            self._asks = True
            self._transport.write(_CONNECT)
        self.is_greeted = self.is_greeted or b'"welcome"' in self._seen
        while (start := self._seen.find(_MARK)) >= 0 and (end := self._seen.find(b'"', start)) >= 0:
            self._hear(int(self._seen[start + len(_MARK) : end]))
            self._seen = self._seen[end:]
        self._seen = self._seen[-200:]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however
        """Be counted."""
        self.is_lost = True


class Watch:
    """Who heard what, and when."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._left = 0
        self._number = -1
        self._begun = 0.0
        self._heard = asyncio.Event()
        self.waits_ms: list[float] = []
        self.missed = 0
        self.refused = 0

    def hear(self, number: int) -> None:
        """Take down that a client has heard a product."""
        if number == self._number:
            self.waits_ms.append((time.perf_counter() - self._begun) * 1e3)
            self._left -= 1
            if not self._left:
                self._heard.set()

    async def measure(self, http: httpx.AsyncClient, number: int) -> None:
        """Create a product, and wait until everyone has heard it."""
        self._number, self._left, self._begun = number, self._clients, time.perf_counter()
        self._heard.clear()
        try:
            answer = await http.post("/products", json={**_PRODUCT, "name": f"{_MARK.decode()}{number}"})
            answer.raise_for_status()
            async with asyncio.timeout(_HEARD_WITHIN_S):
                await self._heard.wait()
        except httpx.HTTPError:
            self.refused += 1
        except TimeoutError:
            self.missed += self._left


async def run(url: str, clients: int) -> None:
    """Connect, say `ready`, and for each line of input, the seconds, measure so long and say what was seen."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    request = (
        f"GET /websocket-service/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    watch = Watch(clients)
    all_clients: list[Client] = []
    for _ in range(clients):
        _, client = await loop.create_connection(
            lambda: Client(request, watch.hear), parts.hostname or "", parts.port or 80
        )
        all_clients.append(client)
        await asyncio.sleep(_PAUSE_S)
    await eventually(lambda: all(client.is_greeted for client in all_clients), message="all are greeted", timeout_s=30)
    number = 0
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_HEARD_WITHIN_S) as http:
        _say({"ready": True})
        while seconds := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            watch.waits_ms, watch.missed, watch.refused = [], 0, 0
            until = time.perf_counter() + float(seconds)
            while time.perf_counter() < until:
                number += 1
                next_at = time.perf_counter() + _EACH_S
                await watch.measure(http, number)
                await asyncio.sleep(max(0.0, next_at - time.perf_counter()))
            lost = sum(client.is_lost for client in all_clients)
            _say({"waits_ms": watch.waits_ms, "missed": watch.missed, "refused": watch.refused, "lost": lost})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2])))
