"""The websocket transport: an asyncio protocol that uvicorn's HTTP protocol hands the connection over to.

No ASGI task stands behind a connection. The `websockets` library checks the handshake and reads the frames; what goes
out is framed once for all who are sent it.
"""

import asyncio
import logging
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, Protocol, Side, State
from websockets.server import ServerProtocol

from ws_service.engine.deadlines import Deadlines
from ws_service.engine.engine import Engine
from ws_service.engine.packets import PROBED, Packets
from ws_service.engine.polling import Polling
from ws_service.engine.requests import EngineRequest, Refused
from ws_service.engine.session import Session
from ws_service.settings import Settings

# How long the client's answer to a close frame is waited for.
_CLOSE_S = 10

_SWITCHING_PROTOCOLS = 101

# How long a client may take over a request: who opens a connection and sends nothing costs memory, too.
REQUEST_S = 30

# What a client does wrong is not worth a line for each frame of it.
_silent = logging.getLogger("ws_service.frames")
_silent.setLevel(logging.CRITICAL)


class WebSockets:
    """What all websockets of an emitter have in common."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.max_payload = settings.max_payload_bytes
        self.max_pending = settings.max_pending_bytes
        self.to_request = Deadlines[HttpProtocol](REQUEST_S, HttpProtocol.give_up)
        self.to_close = Deadlines[WebSocket](_CLOSE_S, WebSocket.abort)
        self.to_upgrade = Deadlines[WebSocket](settings.upgrade_timeout_ms / 1000, WebSocket.give_up)


class WebSocket(asyncio.Protocol):
    """One connection: a session's transport, or one that has yet to take over from long-polling."""

    __slots__ = (
        "_connections",
        "_fragments",
        "_is_closing",
        "_polling",
        "_protocol",
        "_shared",
        "_transport",
        "is_full",
        "session",
    )

    name = "websocket"

    def __init__(self, shared: WebSockets, transport: asyncio.Transport, connections: set[Any]) -> None:
        self._shared = shared
        self._transport = transport
        self._connections = connections
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=shared.max_payload, logger=_silent)
        self._fragments: list[Frame] = []
        # The transport that this one wants to take over from.
        self._polling: Polling | None = None
        self._is_closing = False
        self.is_full = False
        self.session: Session
        connections.add(self)

    # What the session calls.

    def send(self, packets: Packets) -> None:
        """Write at once. Called for each socket and event: all that is not needed each time is behind a flag."""
        if self._is_closing:
            return
        self._transport.write(packets.frames)
        if self.is_full:
            self._bound()

    def close(self, *, at_once: bool = True) -> bool:  # noqa: ARG002  # a websocket can always be told at once
        """Send a close frame without a code, as Engine.IO does, and wait for the client's."""
        if not self._is_closing:
            self._is_closing = True
            self._shared.to_upgrade.discard(self)
            self._shared.to_close.add(self)
            self._protocol.send_close()
            self._flush()
            self._release()
        return False

    def give_up(self) -> None:
        """Hear that the client has not changed over in time."""
        self.close()

    def pause_reading(self) -> None:
        """Take nothing from the client."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on taking."""
        self._transport.resume_reading()

    # What begins it.

    def open(self) -> None:
        """Begin a session of its own."""
        self.session, opened = self._shared.engine.open(self)
        self.send(opened)

    def probe(self, session: Session, polling: Polling) -> None:
        """Offer itself to a session that polls; one at a time."""
        self.session, self._polling = session, polling
        if session.prober is not None:
            self.close()
            return
        session.prober = self
        self._shared.to_upgrade.add(self)

    # What asyncio and uvicorn call.

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            self._take(cast(Frame, frame))
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """End the session, unless it goes on without this transport."""
        self._is_closing = True
        self._connections.discard(self)
        self._shared.to_close.discard(self)
        self._shared.to_upgrade.discard(self)
        self._leave()

    def pause_writing(self) -> None:
        """Hear from asyncio that the client does not keep up."""
        self.is_full = True
        if self._polling is None:
            self.session.filled()

    def resume_writing(self) -> None:
        """Hear from asyncio that it has."""
        self.is_full = False
        if self._polling is None:
            self.session.drained()

    def shutdown(self) -> None:
        """Hear from uvicorn that the server ends."""
        self._is_closing = True
        self._protocol.send_close(CloseCode.SERVICE_RESTART)
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Wait no longer for the client's close frame."""
        self._transport.abort()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._is_closing = True
        if self._is_closing or frame.opcode in {Opcode.PING, Opcode.PONG}:
            return
        self._fragments.append(frame)
        if not frame.fin:
            return
        message = b"".join(fragment.data for fragment in self._fragments)
        is_text = self._fragments[0].opcode is Opcode.TEXT
        self._fragments.clear()
        try:
            packet = message.decode() if is_text else bytes(message)
        except UnicodeDecodeError:
            self._is_closing = True
            self._protocol.fail(CloseCode.INVALID_DATA)
            return
        if self._polling is None:
            self.session.receive(packet)
        else:
            self._change_over(self._polling, packet)

    def _change_over(self, polling: Polling, packet: str | bytes) -> None:
        if packet == "2probe":
            self.send(PROBED)
            polling.release()
        elif isinstance(packet, str) and packet[:1] == "5":
            self._polling = None
            self._shared.to_upgrade.discard(self)
            self.session.upgrade(self, polling.take_over())
        else:
            self.close()

    def _leave(self) -> None:
        if self._polling is None:
            self.session.close(at_once=True)
        self._release()

    def _release(self) -> None:
        # A session that goes on polling may be offered another websocket.
        if self.session.prober is self and self._polling is not None:
            self.session.prober = None
            self._polling.is_probed = False

    def _bound(self) -> None:
        if self._transport.get_write_buffer_size() > self._shared.max_pending:
            # Nothing more fits behind what it does not read, a close frame least of all.
            self._is_closing = True
            self.session.overflowed()
            self._transport.abort()

    def _flush(self) -> None:
        """Write what the protocol wants to answer: pongs, close frames, and then the end."""
        output = self._protocol.data_to_send()
        if not output:
            return
        self._transport.write(b"".join(output))
        if SEND_EOF in output or self._protocol.parser_exc is not None:
            self._is_closing = True
            self._leave()
            self._transport.close()
        elif self.is_full:
            self._bound()


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with our websockets."""

    def __init__(self, websockets: WebSockets, path: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._websockets = websockets
        self._path = path
        self._received = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request."""
        super().connection_made(transport)
        self._websockets.to_request.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._websockets.to_request.discard(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the rest of the request."""
        super().on_message_begin()
        self._websockets.to_request.add(self)

    def on_message_complete(self) -> None:
        """Have all of the request."""
        self._websockets.to_request.discard(self)
        super().on_message_complete()

    def give_up(self) -> None:
        """Hear that no request has come in time."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Keep what a client has sent behind its handshake, which uvicorn throws away."""
        self._received = data
        super().data_received(data)
        self._received = b""

    def handle_websocket_upgrade(self) -> None:
        """Shake hands and hand the connection over; or refuse, and end it."""
        self.connections.discard(self)
        url = httptools.parse_url(self.url)
        if url.path.decode("latin-1").rstrip("/") != self._path.rstrip("/"):
            self._refuse(404, "Not Found")
            return
        scheme = "https" if self.scheme == "https" else "http"
        request = EngineRequest.of(self.scope["method"], url.query or b"", self.headers, scheme, is_upgrade=True)
        try:
            session = self._websockets.engine.check(request)
        except Refused as refused:
            self._refuse(refused.status, refused.message)
            return
        if request.method != "GET":
            self._refuse(405, "Method Not Allowed")
            return
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
        response = ServerProtocol(logger=_silent).accept(Request(self.url.decode("latin-1"), headers))
        self.transport.write(response.serialize())
        if response.status_code == _SWITCHING_PROTOCOLS:
            self._hand_over(session)
        else:
            self.transport.close()

    def _hand_over(self, session: Session | None) -> None:
        websocket = WebSocket(self._websockets, self.transport, self.connections)
        self.transport.set_protocol(websocket)
        if session is None:
            websocket.open()
        else:
            websocket.probe(session, cast(Polling, session.transport))
        if early := self._received.partition(b"\r\n\r\n")[2]:
            websocket.data_received(early)
        # The parser and this object refer to each other: without it both are freed now, not when rubbish is collected.
        self.parser = None  # type: ignore[assignment]  # as `connection_lost` does

    def _refuse(self, status: int, message: str) -> None:
        self.transport.write(ServerProtocol(logger=_silent).reject(status, message).serialize())
        self.transport.close()
