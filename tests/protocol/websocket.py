"""A websocket client that decides for itself what it sends and what it takes note of."""

import asyncio
import contextlib
from collections.abc import Callable

from tests.protocol.frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, FrameReader, close, frame, text
from tests.protocol.normal import normal

_DEADLINE_S = 5
_READ_BYTES = 1 << 16
_FENCE = b"fence"


class WebSocket:
    """A websocket client that notes what it hears only when the script says so."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[str], None], patience_s: float
    ) -> None:
        self.refused = False
        self._reader = reader
        self._writer = writer
        self._note = note
        self._patience_s = patience_s
        self._heard: list[str] = []
        self._noted = 0
        self._fences = 0
        self._fenced = 0
        self._ended = False
        self._news = asyncio.Event()

    def send(self, *packets: str) -> None:
        """Send packets, each in a text message of its own, in one write."""
        self.send_raw(b"".join(text(packet) for packet in packets))

    def send_binary(self, *payloads: bytes) -> None:
        """Send binary messages."""
        self.send_raw(b"".join(frame(BINARY, payload) for payload in payloads))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, unless the connection has ended."""
        if not self._ended:
            self._writer.write(data)

    def send_close(self, code: int, reason: bytes = b"") -> None:
        """Send a Close frame."""
        self.send_raw(close(code, reason))

    def end_of_file(self) -> None:
        """Say at the level of TCP that nothing more will come."""
        self._writer.write_eof()

    async def abandon(self) -> None:
        """Close the connection without a word."""
        self._writer.close()
        await self.ended()
        self.forget()

    async def first(self) -> str:
        """Return the first packet when it has come, and leave it out of the comparison."""
        await self._wait(lambda: bool(self._heard))
        assert self._heard, "the handshake was refused"
        self.forget()
        return self._heard[0]

    async def read(self) -> None:
        """Take what the server sends until it closes."""
        frames = FrameReader()
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(_READ_BYTES):
                for received in frames.frames(data):
                    self._take(received)
                self._news.set()
        if not self._ended:
            self._end("dropped")
        self._writer.close()

    def _take(self, received: Frame) -> None:
        opcode, payload = received
        if opcode == CLOSE:
            self._end(f"closed {int.from_bytes(payload[:2])}" if payload else "closed without a code")
            with contextlib.suppress(ConnectionError):
                self._writer.write(frame(CLOSE, payload[:2]))
        elif opcode == PONG and payload.startswith(_FENCE):
            self._fenced += 1
        elif not self._ended:
            names = {BINARY: "binary ", PING: "ping ", PONG: "pong "}
            self._heard.append(
                payload.decode() if opcode == TEXT else names.get(opcode, f"opcode {opcode} ") + payload.hex()
            )

    def _end(self, how: str) -> None:
        self._ended = True
        self._heard.append(how)
        self._news.set()

    async def until(self, start: str) -> None:
        """Wait until a packet that begins so was heard, or the connection has ended."""
        try:
            await self._wait(lambda: self._ended or any(one.startswith(start) for one in self._heard[self._noted :]))
        except TimeoutError:
            self._note(f"(no {start})")

    async def ended(self, deadline_s: float = _DEADLINE_S) -> None:
        """Wait until the connection has ended, if it does within the deadline."""
        with contextlib.suppress(TimeoutError):
            await self._wait(lambda: self._ended, deadline_s)

    async def _wait(self, condition: Callable[[], bool], deadline_s: float = _DEADLINE_S) -> None:
        async with asyncio.timeout(deadline_s):
            while not (self.refused or condition()):
                self._news.clear()
                await self._news.wait()

    def forget(self) -> None:
        """Leave out of the comparison what was heard so far, unless it is the end."""
        self._noted = len(self._heard) - (1 if self._ended else 0)

    async def settle(self, *, fence: bool = True) -> None:
        """Wait until the server has dealt with all that was sent, and note what it sent.

        Args:
            fence: Whether a websocket ping may be sent to see that everything before it was read.
        """
        if self.refused:
            return
        if fence:
            await self.fence()
        await self._quiet()
        self.note_heard()

    async def fence(self) -> None:
        """Wait until the server has read all that was sent, or closed."""
        if self._ended:
            return
        self._fences += 1
        self.send_raw(frame(PING, _FENCE))
        with contextlib.suppress(TimeoutError):
            await self._wait(lambda: self._ended or self._fenced == self._fences, 1)

    def note_heard(self) -> None:
        """Note what was heard since the last time."""
        for heard in self._heard[self._noted :]:
            self._note(normal(heard))
        self._noted = len(self._heard)
        if not self._ended:
            self._note("(open)")

    async def _quiet(self) -> None:
        while not self._ended:
            self._news.clear()
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._news.wait()
            except TimeoutError:
                return
