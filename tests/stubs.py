"""Tiny servers in the services' place, that tell who they are and what reached them.

They read requests with the emitter's own parser: what reaches a stub is what an emitter would take it for.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from deploy.local.ports import free_ports
from shared.serving.http.connections import Connections
from shared.serving.http.protocol import HttpProtocol

_MOST = 10_000
_REQUEST_S = 30.0

MARK = "x-mark"
"""The header by which a test knows its own requests, also those that a proxy has not seen as such."""


class Arrival(NamedTuple):
    """A request as a service understands it: its path decoded, and its mark."""

    path: str
    mark: str


class Stubs:
    """The processes of one service, each with an address of its own on the loopback interface."""

    def __init__(self, name: str, addresses: list[str]) -> None:
        self.name = name
        self.addresses = addresses
        [self.port] = free_ports(1)
        self.arrivals: list[Arrival] = []
        """The requests that came from clients, and not from a proxy that checks its servers."""

    @property
    def paths(self) -> set[str]:
        """The paths that were reached."""
        return {arrival.path for arrival in self.arrivals}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run them."""
        config = uvicorn.Config(self._answer, interface="asgi3", log_config=None, proxy_headers=False)
        config.load()
        state = ServerState()
        protocol = partial(
            _Protocol, self, Connections(_MOST, _REQUEST_S), config=config, server_state=state, app_state={}
        )
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for address in self.addresses:
                server = await loop.create_server(protocol, address, self.port)
                stack.callback(server.close)
            yield
        for connection in list(state.connections):
            connection.transport.abort()

    def hear(self, path: str, headers: dict[str, str]) -> None:
        """Note a request: a client's has our mark, or what a proxy says about where it came from."""
        if MARK in headers or "x-forwarded-for" in headers:
            self.arrivals.append(Arrival(path, headers.get(MARK, "")))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        said = {
            "service": self.name,
            "address": scope["server"][0],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "headers": _headers(scope),
        }
        body = json.dumps(said).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Protocol(HttpProtocol):
    """A connection, whose requests are noted before anything is refused."""

    def __init__(self, stubs: Stubs, connections: Connections, **arguments: Any) -> None:
        super().__init__(connections, **arguments)
        self._stubs = stubs

    def on_headers_complete(self) -> None:
        """Note a request; a websocket's path is not decoded."""
        super().on_headers_complete()
        path = self.scope.get("path") or self.url.partition(b"?")[0].decode("latin-1")
        self._stubs.hear(path, _headers(self.scope))


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
