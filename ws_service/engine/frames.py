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

from shared.metrics import limited
from shared.serving.deadlines import Deadlines
from ws_service.engine.portions import portion
from ws_service.limits.allowance import Allowance
from ws_service.settings import Settings

# How long the client's answer to a close frame is waited for; that of one that went too far, which is only to hear why,
# for a moment. What comes meanwhile is read for nothing, and bounded as well.
_CLOSE_S = 10
_CLOSE_BRIEFLY_S = 1
MOST_LATE_BYTES = 64 * 1024

# What a client does wrong is not worth a line for each frame of it.
silent = logging.getLogger("ws_service.frames")
silent.setLevel(logging.CRITICAL)


class Limits:
    """What bounds all websockets of a kind."""

    def __init__(self, settings: Settings) -> None:
        self.max_payload = settings.max_payload_bytes
        self.max_pending = settings.max_pending_bytes
        self.messages_per_second = settings.client_messages_per_second
        self.message_s = settings.request_timeout_ms / 1000
        self.to_finish = Deadlines[FrameProtocol](self.message_s, FrameProtocol.time_out)
        self.to_close = Deadlines[FrameProtocol](_CLOSE_S, FrameProtocol.abort)
        self.to_close_briefly = Deadlines[FrameProtocol](_CLOSE_BRIEFLY_S, FrameProtocol.abort)


class FrameProtocol(asyncio.Protocol, ABC):
    """One websocket. It takes the connection over from whoever was its protocol before."""

    __slots__ = (
        "_connections",
        "_has_more",
        "_inside",
        "_is_closing",
        "_is_deaf",
        "_is_due",
        "_is_held",
        "_is_open",
        "_is_reading",
        "_is_text",
        "_late_bytes",
        "_limits",
        "_message",
        "_protocol",
        "_transport",
        "_unread",
        "allowance",
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
        # Whether it was begun, and is waited for.
        self._is_open = False
        self.allowance = Allowance(limits.messages_per_second)
        # What was received and not yet looked at; whether there is more in it than the beginning of a frame's head, and
        # how much of it belongs to the frame before.
        self._unread = memoryview(b"")
        self._has_more = False
        self._inside = 0
        # Whether it is to wait, and whether the loop has been told to go on with it.
        self._is_held = False
        self._is_due = False
        self._is_reading = True
        self._is_closing = False
        # How much has come since.
        self._late_bytes = 0
        # Whether nothing is looked at any more, not even the client's close frame.
        self._is_deaf = False
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

    def begin_close(self, code: CloseCode | None = None, reason: str = "", *, briefly: bool = False) -> None:
        """Send a close frame, and wait for the client's; for a moment only if it went too far."""
        if self._is_closing:
            return
        self._is_closing = True
        is_brief = briefly or code is CloseCode.POLICY_VIOLATION
        (self._limits.to_close_briefly if is_brief else self._limits.to_close).add(self)
        # The client may have begun to close in the same breath.
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
        self._flush()
        self.resume_reading()

    def end(self, code: CloseCode, reason: str) -> None:
        """Close it, and have whoever stands behind it go at once."""
        self.begin_close(code, reason)
        self.leave()

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
        if self._is_closing and self._is_late(len(data)):
            return
        self._unread = memoryview(bytes(self._unread) + data)
        self._has_more = True
        if not self._is_due:
            self._read()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Forget the connection, and what was sent and not looked at."""
        self._is_closing = True
        self._hear_no_more()
        self._connections.discard(self)
        self._limits.to_close.discard(self)
        self._limits.to_close_briefly.discard(self)
        self._limits.to_finish.discard(self)
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

    def time_out(self) -> None:
        """Hear that a message that was begun has not come to its end."""
        limited.labels("message_time").inc()
        self.end(CloseCode.POLICY_VIOLATION, f"a message has to come within {self._limits.message_s:g} s")

    def _read(self) -> None:
        self._is_due = False
        if self._is_held or not self._has_more:
            return
        end, frames, inside = portion(self._unread, self._inside)
        if not self.allowance.permits(frames):
            self._exceed()
            return
        part, self._unread, self._inside = self._unread[:end], self._unread[end:], inside
        self._has_more = bool(end and self._unread)
        self._protocol.receive_data(bytes(part))
        for frame in self._protocol.events_received():
            self._take(cast(Frame, frame))
        if not self._is_closing and isinstance(self._protocol.parser_exc, PayloadTooBig):
            limited.labels("payload").inc()
        self._flush()
        self._pace()
        self._watch()

    def _watch(self) -> None:
        is_open = bool(self._message) or self._inside > 0
        if is_open != self._is_open:
            self._wait_for_message(is_open=is_open)

    def _wait_for_message(self, *, is_open: bool) -> None:
        """Wait for the rest of a message that was begun: what there is of it takes memory."""
        self._is_open = is_open
        (self._limits.to_finish.add if is_open else self._limits.to_finish.discard)(self)

    def _is_late(self, size: int) -> bool:
        """Tell whether what comes after the end is to be passed over."""
        self._late_bytes += size
        if self._late_bytes > MOST_LATE_BYTES:
            limited.labels("late").inc()
            self._hear_no_more()
            self._transport.abort()
        return self._is_deaf

    def _exceed(self) -> None:
        limited.labels("packets").inc()
        # What comes behind it is not worth reading, and a close frame would be at its end.
        self._hear_no_more()
        self.end(CloseCode.POLICY_VIOLATION, f"more than {self.allowance.per_second} packets a second")

    def _hear_no_more(self) -> None:
        self._is_deaf = True
        self._unread = memoryview(b"")
        self._has_more = False

    def _pace(self) -> None:
        is_reading = not (self._is_held or self._has_more)
        if is_reading != self._is_reading:
            self._is_reading = is_reading
            (self._transport.resume_reading if is_reading else self._transport.pause_reading)()
        if self._has_more and not self._is_held and not self._is_due:
            self._is_due = True
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
        if self._is_open:
            self._wait_for_message(is_open=False)
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
            if self not in self._limits.to_close_briefly:
                self._limits.to_close.add(self)
            self.leave()
            self._transport.close()
        elif self.is_full:
            self._bound()
