"""Websocket frames on a connection that uvicorn has handed over: an asyncio protocol.

No ASGI task stands behind a connection. The `websockets` library reads the frames; what goes out is framed once for all
who are sent it.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Any, cast

from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import SEND_EOF, Protocol, Side, State

from shared.deadlines import Deadlines
from shared.metrics import limited
from ws_service.settings import Settings

# How long the client's answer to a close frame is waited for.
_CLOSE_S = 10

# How much of what a client sent is read in one turn of the loop.
_READ_BYTES = 16 * 1024

# What a client does wrong is not worth a line for each frame of it.
silent = logging.getLogger("ws_service.frames")
silent.setLevel(logging.CRITICAL)


class Limits:
    """What bounds all websockets of a kind."""

    def __init__(self, settings: Settings) -> None:
        self.max_payload = settings.max_payload_bytes
        self.max_pending = settings.max_pending_bytes
        self.to_close = Deadlines[FrameProtocol](_CLOSE_S, FrameProtocol.abort)


class FrameProtocol(asyncio.Protocol, ABC):
    """One websocket. It takes the connection over from whoever was its protocol before."""

    __slots__ = (
        "_connections",
        "_is_closing",
        "_is_held",
        "_is_reading",
        "_is_text",
        "_limits",
        "_message",
        "_protocol",
        "_transport",
        "_unread",
        "is_full",
    )

    def __init__(self, limits: Limits, transport: asyncio.Transport, connections: set[Any]) -> None:
        self._limits = limits
        self._transport = transport
        self._connections = connections
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limits.max_payload, logger=silent)
        # The message that comes in fragments: not kept as frames, which would cost much more than they carry.
        self._message = bytearray()
        self._is_text = True
        # What was received and not yet looked at, and whether that is to wait.
        self._unread = memoryview(b"")
        self._is_held = False
        self._is_reading = True
        self._is_closing = False
        self.is_full = False
        connections.add(self)
        transport.set_protocol(self)

    # What is different for each kind.

    @abstractmethod
    def receive(self, message: str | bytes) -> None:
        """Take a message."""

    @abstractmethod
    def filled(self) -> None:
        """Hear that more than a little waits to be taken by the client."""

    @abstractmethod
    def drained(self) -> None:
        """Hear that there is room."""

    @abstractmethod
    def overflowed(self) -> None:
        """Hear that more waits for the client than may: it is cut off."""

    @abstractmethod
    def leave(self) -> None:
        """Hear that the websocket is closed. It may be heard more than once."""

    # What those above call.

    def write(self, frames: bytes, /) -> None:
        """Write at once. Called for each client and event: all that is not needed each time is behind a flag."""
        if self._is_closing:
            return
        self._transport.write(frames)
        if self.is_full:
            self._bound()

    def begin_close(self, code: CloseCode | None = None, reason: str = "") -> None:
        """Send a close frame, and wait for the client's."""
        if self._is_closing:
            return
        self._is_closing = True
        self._limits.to_close.add(self)
        # The client may have begun to close in the same breath.
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
        self._flush()
        self.resume_reading()

    def pause_reading(self) -> None:
        """Take nothing from the client."""
        self._is_held = True
        self._pace()

    def resume_reading(self) -> None:
        """Go on taking."""
        self._is_held = False
        self._pace()

    # What asyncio and uvicorn call.

    def data_received(self, data: bytes) -> None:
        """Read frames, a little a turn: a client that sends thousands of small ones must not hold up the others."""
        self._unread = memoryview(bytes(self._unread) + data)
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Forget the connection, and what was sent and not looked at."""
        self._is_closing = True
        self._unread = memoryview(b"")
        self._connections.discard(self)
        self._limits.to_close.discard(self)
        self.leave()

    def pause_writing(self) -> None:
        """Hear from asyncio that the client does not keep up."""
        self.is_full = True
        self.filled()

    def resume_writing(self) -> None:
        """Hear from asyncio that it has."""
        self.is_full = False
        self.drained()

    def shutdown(self) -> None:
        """Hear from uvicorn that the server ends."""
        self.begin_close(CloseCode.GOING_AWAY)
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
        if not self._is_closing and isinstance(self._protocol.parser_exc, PayloadTooBig):
            limited.labels("payload").inc()
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
            decoded = message.decode() if self._is_text else message
        except UnicodeDecodeError:
            self._is_closing = True
            self._protocol.fail(CloseCode.INVALID_DATA)
            return
        self.receive(decoded)

    def _bound(self) -> None:
        if self._transport.get_write_buffer_size() > self._limits.max_pending:
            # Nothing more fits behind what it does not read, a close frame least of all.
            self._is_closing = True
            self.overflowed()
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
            self._limits.to_close.add(self)
            self.leave()
            self._transport.close()
        elif self.is_full:
            self._bound()
