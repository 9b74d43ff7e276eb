"""The emitter's HTTP protocol: an upgrade hands the connection over to what stands at its path."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import httptools
import structlog
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from shared.emitter_api import EVENTS_PATH, POSITION_PATH
from shared.metrics import limited
from shared.serving.http.connections import Connections
from shared.serving.http.protocol import TOO_MANY, HttpProtocol
from ws_service.engine.frames import FrameProtocol, silent
from ws_service.engine.requests import EngineRequest, Refused, read_headers, read_peer, read_query
from ws_service.settings import Settings

_SWITCHING_PROTOCOLS = 101

# Beside those of the clients: for calls, probes, and those that are about to become clients.
SPARE_CONNECTIONS = 1_000

# And beside those, for the calls without which a full emitter would be taken for dead, or hear nothing more.
RESERVED_CONNECTIONS = 100
_RESERVED = {path.encode() for path in ("/livez", "/readyz", "/metrics", EVENTS_PATH, POSITION_PATH)}

CONNECTION = "storecast.connection"
"""The extension of the ASGI scope by which a response without end can cut off a client that does not read it."""

Opener = Callable[[asyncio.Transport, set[Any]], FrameProtocol]
"""Takes over a connection whose handshake is done. The set is uvicorn's, of all connections."""

_log = structlog.get_logger(__name__)


class Endpoint(Protocol):
    """Where websockets are opened."""

    async def admit(self, request: EngineRequest) -> Opener:
        """Return what opens the websocket that is asked for, before anything else is awaited; raise Refused."""


class EmitterConnections(Connections):
    """The HTTP connections of an emitter, and where they may lead."""

    def __init__(self, settings: Settings, endpoints: Mapping[str, Endpoint]) -> None:
        # How many may be in use at a time: by clients, or for a request that is being answered.
        self.most_in_use = settings.max_connections + SPARE_CONNECTIONS
        super().__init__(self.most_in_use + RESERVED_CONNECTIONS, settings.request_timeout_ms / 1000)
        # By their paths, without a slash at the end.
        self.endpoints = endpoints


class EmitterProtocol(HttpProtocol):
    """One connection, until it is handed over."""

    def __init__(self, connections: EmitterConnections, **arguments: Any) -> None:
        super().__init__(connections, **arguments)
        self._endpoints = connections.endpoints
        self._most_in_use = connections.most_in_use

    def on_message_begin(self) -> None:
        """Give the request what a response without end needs."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: {"abort": self.transport.abort}}

    def on_headers_complete(self) -> None:
        """Have the head of the request. Beyond what may be in use, only those are answered that have places reserved.

        What a connection is for is not known earlier. Those that have not said it yet wait, and make room for others.
        """
        in_use = len(self.connections) - len(self._all.waiting)
        if in_use >= self._most_in_use and self.url.partition(b"?")[0] not in _RESERVED:
            limited.labels("http_connections").inc()
            self.refusal = TOO_MANY
        super().on_headers_complete()

    def upgrade(self, early: bytes) -> None:
        """Shake hands and hand the connection over; or refuse, and end it. `early` came behind the handshake."""
        if not self._should_upgrade():
            super().upgrade(early)
            return
        # What comes next is for whoever takes the connection over.
        self.flow.pause_reading()
        task = self.loop.create_task(self._shake_hands(early))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _shake_hands(self, early: bytes) -> None:
        try:
            opener = await self._admitted()
        except Refused as refused:
            self._reject(refused)
            return
        except Exception:  # noqa: BLE001  # logged, and the client comes back
            _log.exception("a handshake could not be dealt with")
            self.transport.abort()
            return
        # Nothing is awaited from here on: who was admitted is counted before anybody else is.
        if self.transport.is_closing():
            return
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
        response = ServerProtocol(logger=silent).accept(Request(self.url.decode("latin-1"), headers))
        self.transport.write(response.serialize())
        if response.status_code == _SWITCHING_PROTOCOLS:
            self._hand_over(opener, early)
        else:
            self._close()

    async def _admitted(self) -> Opener:
        if self.refusal is not None:
            raise Refused(3, self.refusal.detail, self.refusal.status, self.refusal.retry_after_s)
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            raise Refused(3, "Bad request") from None
        endpoint = self._endpoints.get((url.path or b"").decode("latin-1").rstrip("/"))
        # A request line without a path is not the one of the root.
        if endpoint is None or not url.path:
            raise Refused(3, "Not Found", HTTPStatus.NOT_FOUND)
        if self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete):
            # The rest of the answer to a request that came before would go into the websocket's stream.
            raise Refused(3, "Bad request")
        scheme = "https" if self.scheme == "https" else "http"
        method, query, headers = self.scope["method"], read_query(url.query or b""), read_headers(self.headers)
        request = EngineRequest(method, query, headers, scheme, read_peer(self.client), is_upgrade=True)
        opener = await endpoint.admit(request)
        if method != "GET":
            raise Refused(2, "Bad handshake method", HTTPStatus.METHOD_NOT_ALLOWED)
        return opener

    def _reject(self, refused: Refused) -> None:
        refusal = ServerProtocol(logger=silent).reject(refused.status, refused.message)
        del refusal.headers["Content-Type"]
        refusal.headers["Content-Type"] = refused.content_type
        if refused.retry_after_s is not None:
            refusal.headers["Retry-After"] = str(refused.retry_after_s)
        self.transport.write(refusal.serialize())
        self._close()

    def _hand_over(self, opener: Opener, early: bytes) -> None:
        self._all.waiting.discard(self)
        self.connections.discard(self)
        websocket = opener(self.transport, self.connections)
        self.flow.resume_reading()
        if early:
            websocket.data_received(early)
        # The parser and this object refer to each other: without it both are freed now, not when rubbish is collected.
        self.parser = None  # type: ignore[assignment]  # as `connection_lost` does
