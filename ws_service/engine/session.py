"""One Engine.IO connection, whatever its transport: https://socket.io/docs/v4/engine-io-protocol."""

import asyncio
import base64
import re
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from shared.metrics import limited
from ws_service.engine.packets import Packets
from ws_service.limits.allowance import PACKETS_A_TURN, Allowance

# How many messages of a client, and how many bytes or characters, may wait for the one before to be dealt with. Beyond
# either no more are read.
MOST_WAITING = 100
MOST_WAITING_BYTES = 256 * 1024

_log = structlog.get_logger(__name__)

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class Transport(Protocol):
    """What carries packets: a websocket, or HTTP long-polling. `allowance` is how many the client may send."""

    name: str
    allowance: Allowance

    @property
    def is_full(self) -> bool:
        """Whether more than a little waits to be taken by the client."""

    def send(self, packets: Packets) -> None:
        """Queue packets."""

    def close(self, *, at_once: bool, why: str = "") -> bool:
        """Send what closes the connection; return whether the client, between two polls, has to fetch it.

        `at_once` is for a client that is taken for gone. `why` is told where there is a word for it.
        """

    def pause_reading(self) -> None:
        """Take nothing from the client."""

    def resume_reading(self) -> None:
        """Go on taking."""


class Sender(Protocol):
    """Who sends over the session, and wants to know whether there is room."""

    def hold(self) -> None:
        """Stop: the transport is full."""

    def wake(self) -> None:
        """Go on: there is room again."""


class Owner(Protocol):
    """Who keeps all sessions: what becomes of one is told to it."""

    def heard(self, session: "Session", /) -> None:
        """Hear that a client has sent something."""

    def ponged(self, session: "Session", /) -> None:
        """Hear that a client has answered its ping."""

    def overflowed(self, session: "Session", /) -> None:
        """Hear that a client does not take what is sent to it."""

    def closed(self, session: "Session", /, *, to_be_told: bool) -> None:
        """Hear that a session has ended; a client that is to be told asks once more."""

    def start(self, work: Coroutine[Any, Any, None], /) -> asyncio.Task[None]:
        """Own a task that deals with a session's messages."""

    async def receive(self, session: "Session", message: str | bytes, /) -> None:
        """Deal with a message."""


class Session:
    """A connected client: its transport, what it has sent and is not dealt with yet, and who listens.

    Messages of one client are dealt with one after the other, in a task that lives as long as there are some.
    """

    __slots__ = (
        "_inbox",
        "_inbox_bytes",
        "_is_reading",
        "_owner",
        "_task",
        "address",
        "client",
        "is_closed",
        "prober",
        "refusals",
        "sender",
        "sid",
        "transport",
    )

    def __init__(self, owner: Owner, sid: str, transport: Transport, address: str) -> None:
        self._owner = owner
        self._inbox: deque[str | bytes] | None = None
        self._inbox_bytes = 0
        self._is_reading = True
        self._task: asyncio.Task[None] | None = None
        self.sid = sid
        self.transport = transport
        # Where the client comes from.
        self.address = address
        # A websocket that wants to take over, and has not yet.
        self.prober: Transport | None = None
        # How often it was refused what it connects to.
        self.refusals = 0
        # The Socket.IO client's id, once it is connected.
        self.client: str | None = None
        self.sender: Sender | None = None
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether more than a little waits to be taken by the client."""
        return self.transport.is_full

    def send(self, packets: Packets) -> None:
        """Queue packets behind what waits already. After the end they go nowhere."""
        if self.is_closed:
            return
        try:
            self.transport.send(packets)
        except Exception:  # noqa: BLE001  # of a loop over many: who is next in it must not lose what this one does
            _log.exception("a transport failed; its session is closed and comes back", session=self.sid)
            self.close(at_once=True)

    def drop(self) -> None:
        """Close the transport, so that the client comes back.

        The stock client does not reconnect after a Socket.IO disconnect packet, only after its transport closed.
        """
        self.close(at_once=True)

    def close(self, *, at_once: bool = False, why: str = "") -> None:
        """End it. A client that is between two polls is told at the next one, unless it is to be `at_once`.

        `why` is for a client that went too far.
        """
        if self.is_closed:
            return
        self.is_closed = True
        self._inbox = None
        # A message may close its own session, and must not be stopped half-way.
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self.prober is not None:
            self.prober.close(at_once=True)
        to_be_told = False
        try:
            to_be_told = self.transport.close(at_once=at_once, why=why)
        finally:
            self._owner.closed(self, to_be_told=to_be_told)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the event loop's next turn."""
        asyncio.get_running_loop().call_soon(callback)

    def filled(self) -> None:
        """Hear from the transport that it is full."""
        if self.sender is not None:
            self.sender.hold()

    def drained(self) -> None:
        """Hear from the transport that there is room."""
        if self.sender is not None:
            self.sender.wake()

    def overflowed(self) -> None:
        """Hear from the transport that more waits for the client than may."""
        self._owner.overflowed(self)
        self.close(at_once=True)

    def upgrade(self, websocket: Transport, waiting: list[Packets]) -> None:
        """Change over to the websocket, which sends what still waited in the old transport."""
        self.prober = None
        self.transport = websocket
        if not self._is_reading:
            websocket.pause_reading()
        for packets in waiting:
            self.send(packets)
        # The new transport may be as full as the old one was, or have room that the old one had not.
        if websocket.is_full:
            self.filled()
        else:
            self.drained()

    def receive(self, packet: str | bytes) -> None:
        """Take an Engine.IO packet: text, or bytes for a binary message."""
        if self.is_closed:
            return
        self._owner.heard(self)
        if isinstance(packet, bytes):
            self._take(packet)
            return
        match packet[:1]:
            case "4":
                self._take(packet[1:])
            case "3":
                self._owner.ponged(self)
            case "b":
                self._take(_base64(packet[1:]))
            case "0" | "5" | "6":
                pass  # of no meaning from a client that is connected
            case _:
                # Its end, a ping of its own, or nothing that the protocol knows.
                self.close(at_once=True)

    def _take(self, message: str | bytes) -> None:
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(message)
        self._inbox_bytes += len(message)
        if self._task is None:
            self._task = self._owner.start(self._work())
        if self._is_reading and self._is_behind(self._inbox):
            limited.labels("waiting").inc()
            self._is_reading = False
            self.transport.pause_reading()

    async def _work(self) -> None:
        dealt_with = 0
        try:
            while self._inbox:
                message = self._inbox.popleft()
                self._inbox_bytes -= len(message)
                if not self._is_reading and not self._is_behind(self._inbox):
                    self._is_reading = True
                    self.transport.resume_reading()
                await self._owner.receive(self, message)
                dealt_with += 1
                if dealt_with % PACKETS_A_TURN == 0:
                    # Most messages wait for nothing, and would be dealt with in one go.
                    await asyncio.sleep(0)
        finally:
            self._inbox = self._task = None
            self._inbox_bytes = 0

    def _is_behind(self, inbox: deque[str | bytes]) -> bool:
        return len(inbox) >= MOST_WAITING or self._inbox_bytes >= MOST_WAITING_BYTES


def _base64(text: str) -> bytes:
    # As lenient as Node: padding is optional, what does not belong is passed over.
    text = _NOT_BASE64.sub("", text.translate({ord("-"): "+", ord("_"): "/"}))
    text = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(text + "=" * (-len(text) % 4))
