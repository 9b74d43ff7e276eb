"""The websocket transport: an asyncio protocol that uvicorn's HTTP protocol hands the connection over to.

No ASGI task stands behind a connection. The `websockets` library checks the handshake and reads the frames; what goes
out is framed once for all who are sent it.
"""

import asyncio
import logging
from collections import deque
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
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

# How long a client may take over a request, and over an answer: who opens a connection and sends nothing, or reads
# nothing, costs memory, too.
REQUEST_S = 30
_MAX_HEAD_BYTES = 64 * 1024

# How much of what a client sent is read in one turn of the loop.
_READ_BYTES = 16 * 1024

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
        "_is_closing",
        "_is_held",
        "_is_reading",
        "_is_text",
        "_message",
        "_polling",
        "_protocol",
        "_shared",
        "_transport",
        "_unread",
        "is_full",
        "session",
    )

    name = "websocket"

    def __init__(self, shared: WebSockets, transport: asyncio.Transport, connections: set[Any]) -> None:
        self._shared = shared
        self._transport = transport
        self._connections = connections
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=shared.max_payload, logger=_silent)
        # The message that comes in fragments: not kept as frames, which would cost much more than they carry.
        self._message = bytearray()
        self._is_text = True
        # What was received and not yet looked at, and whether that is to wait.
        self._unread = memoryview(b"")
        self._is_held = False
        self._is_reading = True
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
            # The client may have begun to close in the same breath.
            if self._protocol.state is State.OPEN:
                self._protocol.send_close()
            self._flush()
            self._release()
            self.resume_reading()
        return False

    def give_up(self) -> None:
        """Hear that the client has not changed over in time."""
        self.close()

    def pause_reading(self) -> None:
        """Take nothing from the client."""
        self._is_held = True
        self._pace()

    def resume_reading(self) -> None:
        """Go on taking."""
        self._is_held = False
        self._pace()

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
        """Read frames, a little a turn: a client that sends thousands of small ones must not hold up the others."""
        self._unread = memoryview(bytes(self._unread) + data)
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """End the session, unless it goes on without this transport."""
        self._is_closing = True
        self._unread = memoryview(b"")
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
        """Hear from uvicorn that the server ends. The session was told before."""
        self.close()
        self._transport.close()

    def abort(self) -> None:
        """Wait no longer for the client's close frame."""
        self._transport.abort()

    def _read(self) -> None:
        if self._is_held or not self._unread:
            return
        part, self._unread = self._unread[:_READ_BYTES], self._unread[_READ_BYTES:]
        self._protocol.receive_data(bytes(part))
        for frame in self._protocol.events_received():
            self._take(cast(Frame, frame))
        self._flush()
        self._pace()

    def _pace(self) -> None:
        is_reading = not (self._is_held or self._unread)
        if is_reading != self._is_reading:
            self._is_reading = is_reading
            (self._transport.resume_reading if is_reading else self._transport.pause_reading)()
        if self._unread and not self._is_held:
            asyncio.get_running_loop().call_soon(self._read)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._is_closing = True
        if self._is_closing or frame.opcode in {Opcode.PING, Opcode.PONG}:
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if not frame.fin:
            return
        message, self._message = bytes(self._message), bytearray()
        try:
            packet = message.decode() if self._is_text else message
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
        if not output or self._transport.is_closing():
            return
        self._transport.write(b"".join(output))
        if SEND_EOF in output:
            self._is_closing = True
            # The transport waits until all was taken, which a client that does not read never does.
            self._shared.to_close.add(self)
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
        # How much of a request's head was received, as long as it is not complete.
        self._head_bytes: int | None = 0
        self._unanswered: deque[RequestResponseCycle] = deque()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request."""
        super().connection_made(transport)
        self._websockets.to_request.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more, and tell all requests; uvicorn tells the last one of those that came before their answers."""
        self._websockets.to_request.discard(self)
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
        self._head_bytes = 0
        self._websockets.to_request.add(self)

    def on_headers_complete(self) -> None:
        """Have the head of the request."""
        self._head_bytes = None
        super().on_headers_complete()
        self._unanswered.append(self.cycle)
        while self._unanswered and (self._unanswered[0] is None or self._unanswered[0].response_complete):
            self._unanswered.popleft()

    def on_message_complete(self) -> None:
        """Have all of the request."""
        self._websockets.to_request.discard(self)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read its answer."""
        super().pause_writing()
        self._websockets.to_request.add(self)

    def resume_writing(self) -> None:
        """Have room for the rest of the answer."""
        super().resume_writing()
        self._websockets.to_request.discard(self)

    def give_up(self) -> None:
        """Hear that it has taken too long."""
        self.transport.abort()

    def _upgrade(self, early: bytes) -> None:
        """Shake hands and hand the connection over; or refuse, and end it. `early` came behind the handshake."""
        self.connections.discard(self)
        try:
            session = self._checked()
        except Refused as refused:
            refusal = ServerProtocol(logger=_silent).reject(refused.status, refused.message)
            self.transport.write(refusal.serialize())
            self.transport.close()
            return
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
        response = ServerProtocol(logger=_silent).accept(Request(self.url.decode("latin-1"), headers))
        self.transport.write(response.serialize())
        if response.status_code == _SWITCHING_PROTOCOLS:
            self._hand_over(session, early)
        else:
            self.transport.close()

    def _checked(self) -> Session | None:
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            raise Refused(3, "Bad request") from None
        if (url.path or b"").decode("latin-1").rstrip("/") != self._path.rstrip("/"):
            raise Refused(3, "Not Found", HTTPStatus.NOT_FOUND)
        if self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete):
            # The rest of the answer to a request that came before would go into the websocket's stream.
            raise Refused(3, "Bad request")
        scheme = "https" if self.scheme == "https" else "http"
        method, query = self.scope["method"], url.query or b""
        session = self._websockets.engine.check(EngineRequest.of(method, query, self.headers, scheme, is_upgrade=True))
        if method != "GET":
            raise Refused(2, "Bad handshake method", HTTPStatus.METHOD_NOT_ALLOWED)
        return session

    def _hand_over(self, session: Session | None, early: bytes) -> None:
        websocket = WebSocket(self._websockets, self.transport, self.connections)
        self.transport.set_protocol(websocket)
        if session is None:
            websocket.open()
        else:
            websocket.probe(session, cast(Polling, session.transport))
        if early:
            websocket.data_received(early)
        # The parser and this object refer to each other: without it both are freed now, not when rubbish is collected.
        self.parser = None  # type: ignore[assignment]  # as `connection_lost` does
