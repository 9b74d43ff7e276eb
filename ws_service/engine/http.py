"""uvicorn's HTTP protocol, with our websockets: an upgrade hands the connection over to what stands at its path."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from ws_service.engine.deadlines import Deadlines
from ws_service.engine.frames import FrameProtocol, silent
from ws_service.engine.requests import EngineRequest, Refused

_SWITCHING_PROTOCOLS = 101

# How long a client may take over a request, and over an answer: who opens a connection and sends nothing, or reads
# nothing, costs memory, too.
REQUEST_S = 30
_MAX_HEAD_BYTES = 64 * 1024

CONNECTION = "storecast.connection"
"""The extension of the ASGI scope by which a response without end can cut off a client that does not read it."""

Opener = Callable[[asyncio.Transport, set[Any]], FrameProtocol]
"""Takes over a connection whose handshake is done. The set is uvicorn's, of all connections."""


class Endpoint(Protocol):
    """Where websockets are opened."""

    def check(self, request: EngineRequest) -> Opener:
        """Return what opens the websocket that is asked for; raise Refused."""


class Http:
    """What all HTTP connections of an emitter have in common."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        # By their paths, without a slash at the end.
        self.endpoints = endpoints
        self.to_request = Deadlines[HttpProtocol](REQUEST_S, HttpProtocol.give_up)


class HttpProtocol(HttpToolsProtocol):
    """One connection, until it is handed over."""

    def __init__(self, http: Http, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._http = http
        # How much of a request's head was received, as long as it is not complete.
        self._head_bytes: int | None = 0
        self._unanswered: deque[RequestResponseCycle] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request."""
        super().connection_made(transport)
        self._http.to_request.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more, and tell all requests; uvicorn tells the last one of those that came before their answers."""
        self._http.to_request.discard(self)
        self.pipeline.clear()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a request; as uvicorn does, but for what it throws away: what comes behind a handshake."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._upgrade(data[upgrade.args[0] :])
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Wait for the rest of the request."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: {"abort": self.transport.abort}}
        self._head_bytes = 0
        self._http.to_request.add(self)

    def on_headers_complete(self) -> None:
        """Have the head of the request."""
        self._head_bytes = None
        super().on_headers_complete()
        self._unanswered.append(self.cycle)
        while self._unanswered and (self._unanswered[0] is None or self._unanswered[0].response_complete):
            self._unanswered.popleft()

    def on_message_complete(self) -> None:
        """Have all of the request."""
        self._http.to_request.discard(self)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read its answer."""
        super().pause_writing()
        self._http.to_request.add(self)

    def resume_writing(self) -> None:
        """Have room for the rest of the answer."""
        super().resume_writing()
        self._http.to_request.discard(self)

    def give_up(self) -> None:
        """Hear that it has taken too long."""
        self.transport.abort()

    def _upgrade(self, early: bytes) -> None:
        """Shake hands and hand the connection over; or refuse, and end it. `early` came behind the handshake."""
        self.connections.discard(self)
        try:
            opener = self._checked()
        except Refused as refused:
            refusal = ServerProtocol(logger=silent).reject(refused.status, refused.message)
            del refusal.headers["Content-Type"]
            refusal.headers["Content-Type"] = refused.content_type
            self.transport.write(refusal.serialize())
            self.transport.close()
            return
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
        response = ServerProtocol(logger=silent).accept(Request(self.url.decode("latin-1"), headers))
        self.transport.write(response.serialize())
        if response.status_code == _SWITCHING_PROTOCOLS:
            self._hand_over(opener, early)
        else:
            self.transport.close()

    def _checked(self) -> Opener:
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            raise Refused(3, "Bad request") from None
        endpoint = self._http.endpoints.get((url.path or b"").decode("latin-1").rstrip("/"))
        # A request line without a path is not the one of the root.
        if endpoint is None or not url.path:
            raise Refused(3, "Not Found", HTTPStatus.NOT_FOUND)
        if self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete):
            # The rest of the answer to a request that came before would go into the websocket's stream.
            raise Refused(3, "Bad request")
        scheme = "https" if self.scheme == "https" else "http"
        method, query = self.scope["method"], url.query or b""
        opener = endpoint.check(EngineRequest.of(method, query, self.headers, scheme, is_upgrade=True))
        if method != "GET":
            raise Refused(2, "Bad handshake method", HTTPStatus.METHOD_NOT_ALLOWED)
        return opener

    def _hand_over(self, opener: Opener, early: bytes) -> None:
        websocket = opener(self.transport, self.connections)
        if early:
            websocket.data_received(early)
        # The parser and this object refer to each other: without it both are freed now, not when rubbish is collected.
        self.parser = None  # type: ignore[assignment]  # as `connection_lost` does
