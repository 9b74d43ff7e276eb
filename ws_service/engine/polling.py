"""The transport for who cannot open a websocket: HTTP long-polling.

https://socket.io/docs/v4/engine-io-protocol/#http-long-polling
"""

import asyncio
from collections import deque
from typing import NamedTuple

from shared.metrics import limited
from ws_service.engine.packets import CLOSE, NOOP, SEPARATOR, Packets
from ws_service.engine.session import Session
from ws_service.limits.allowance import PACKETS_A_TURN, Allowance
from ws_service.limits.pace import Pace
from ws_service.settings import Settings

# Beyond this the session is full, as a websocket's transport is: the default of asyncio's transports.
HIGH_WATER_BYTES = 64 * 1024

# As Node does.
_UPGRADE_POLL_S = 0.1

TEXT = "text/plain; charset=UTF-8"
# Not text/plain, for which some browsers offer a download.
HTML = "text/html"


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    content_type: str | None = None
    body: bytes = b""
    retry_after_s: int | None = None


_REFUSED = Answer(400)
_TOO_MANY = Answer(429)


class Polling:
    """What waits for the client, and the request that waits for it."""

    __slots__ = (
        "_bytes",
        "_closing",
        "_max_pending",
        "_pace",
        "_poll",
        "_posting",
        "_queue",
        "_reading",
        "allowance",
        "is_full",
        "is_probed",
        "session",
    )

    name = "polling"

    def __init__(self, settings: Settings) -> None:
        self._max_pending = settings.max_pending_bytes
        self.allowance = Allowance(settings.client_messages_per_second)
        self._pace = Pace(settings.client_polls_per_second)
        self._queue: deque[Packets] = deque()
        self._bytes = 0
        self._poll: asyncio.Future[None] | None = None
        self._posting = False
        self._closing = False
        self._reading: asyncio.Event | None = None
        self.is_full = False
        # Whether a websocket that wants to take over has been heard of.
        self.is_probed = False
        self.session: Session

    def send(self, packets: Packets) -> None:
        """Queue packets; a poll that waits is answered with them, and with what else comes in this turn of the loop."""
        self._queue.append(packets)
        self._bytes += len(packets.frames)
        self._answer_poll()
        if self._bytes > self._max_pending:
            self.session.overflowed()
        elif self._bytes > HIGH_WATER_BYTES and not self.is_full:
            self.is_full = True
            self.session.filled()

    def close(self, *, at_once: bool, why: str = "") -> bool:  # noqa: ARG002  # there is no word for it
        """Send a close packet; return whether the client has to fetch it. Not if it is to be `at_once`."""
        is_waited_for = self._poll is not None and not self._queue
        if at_once or is_waited_for:
            self._end_with(CLOSE)
            return False
        if not self._queue:
            self._queue.append(NOOP)
        self._queue.append(CLOSE)
        self._closing = True
        self.resume_reading()
        return True

    def pause_reading(self) -> None:
        """Leave the request that brought the messages unanswered; the client sends no other meanwhile."""
        self._reading = self._reading or asyncio.Event()
        self._reading.clear()

    def resume_reading(self) -> None:
        """Answer it."""
        if self._reading is not None:
            self._reading.set()

    def release(self) -> None:
        """Answer a poll that waits: the client changes over to a websocket, and waits for the end of it."""
        self.is_probed = True
        self._answer_poll()

    def take_over(self) -> list[Packets]:
        """Return what waits, for the transport that comes after. A poll that still waits is told to go."""
        waiting = list(self._queue)
        self._end_with(CLOSE)
        return waiting

    async def get(self, gone: "asyncio.Task[None]") -> Answer:
        """Answer a poll as soon as there is something. `gone` ends when the client does."""
        if self._poll is not None:
            self.session.close(at_once=True)
            return _REFUSED
        self._poll = asyncio.get_running_loop().create_future()
        try:
            await self._until_due(gone)
            if not self._queue:
                await self._until_something(self._poll, gone)
        finally:
            self._poll = None
        if not self._queue:
            self._queue.append(NOOP)
        if gone.done() and not self._closing:
            # What would be answered now would be lost.
            self.session.close(at_once=True)
        return Answer(200, TEXT, self._take())

    async def post(self, body: bytes) -> Answer:
        """Take what the client sends, a little a turn of the loop."""
        if not self.allowance.permits(1 + body.count(SEPARATOR)):
            limited.labels("packets").inc()
            self.session.close(at_once=True)
            return _TOO_MANY
        # What is no UTF-8 is replaced, as Node does: the damage is seen where the packet is read.
        packets = body.decode(errors="replace").split(SEPARATOR.decode())
        for first in range(0, len(packets), PACKETS_A_TURN):
            if first:
                await asyncio.sleep(0)
            self._receive(packets[first : first + PACKETS_A_TURN])
            if self._reading is not None:
                await self._reading.wait()
        return Answer(200, HTML, b"ok")

    def begin_post(self) -> bool:
        """Tell whether a request may send: one at a time."""
        if self._posting:
            self.session.close(at_once=True)
            return False
        self._posting = True
        return True

    def end_post(self) -> None:
        """Let the next one send."""
        self._posting = False

    async def _until_due(self, gone: "asyncio.Task[None]") -> None:
        if early_s := self._pace.early_s(1):
            # Each answer costs a request, however little there is in it. What comes meanwhile leaves in the same one.
            limited.labels("polls").inc()
            await asyncio.wait((gone,), timeout=early_s)

    async def _until_something(self, poll: "asyncio.Future[None]", gone: "asyncio.Task[None]") -> None:
        # A client that changes over waits for its last poll to end. It is not ended at once: one that goes on polling
        # would go round in circles.
        timeout_s = _UPGRADE_POLL_S if self.is_probed else None
        await asyncio.wait((poll, gone), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        # What comes in the same turn of the loop leaves in the same answer.
        await asyncio.sleep(0)

    def _receive(self, packets: list[str]) -> None:
        for packet in packets:
            if packet[:1] == "1":
                # The client knows: a poll that waits is let go without a close packet.
                self._end_with(NOOP)
            self.session.receive(packet)

    def _answer_poll(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def _end_with(self, packets: Packets) -> None:
        if not self._closing:
            self._closing = True
            self._queue = deque([packets])
            self._answer_poll()
            self.resume_reading()

    def _take(self) -> bytes:
        payload = SEPARATOR.join(packets.payload for packets in self._queue)
        # Now, and not when it was queued: what still waits may leave by the websocket that takes over.
        self.allowance.expect(sum(packets.asks for packets in self._queue))
        self._queue.clear()
        self._bytes = 0
        if self.is_full:
            self.is_full = False
            self.session.drained()
        return payload
