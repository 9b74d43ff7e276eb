"""What waits to be written to a response that has no end."""

import asyncio
from collections.abc import Callable

import structlog

from ws_service import metrics
from ws_service.engine.polling import HIGH_WATER_BYTES
from ws_service.engine.session import Sender

_log = structlog.get_logger(__name__)


class Outbox:
    """A transport for a feed (`sockets/connection.py`: `Session`), emptied by the task that answers the request.

    What was taken counts as waiting until more is asked for: only then has the connection had room for it.
    """

    def __init__(self, max_pending_bytes: int) -> None:
        self._max_pending = max_pending_bytes
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._is_idle = False
        self._has_ended = False
        self._news = asyncio.Event()
        self.is_full = False
        self.sender: Sender | None = None
        self.abort: Callable[[], None] = lambda: None

    def send(self, data: bytes, /) -> None:
        """Queue what is encoded. More than may wait ends it."""
        if self._has_ended:
            return
        self._chunks.append(data)
        self._bytes += len(data)
        self._news.set()
        if self._bytes > self._max_pending:
            metrics.cut_off.labels("pending").inc()
            _log.info("more waits for a listener than may; it is cut off and comes back")
            self.drop()
        elif self._bytes > HIGH_WATER_BYTES and not self.is_full:
            self.is_full = True
            if self.sender is not None:
                self.sender.hold()

    def drop(self) -> None:
        """End the response; where the client does not take it, the connection."""
        if self._has_ended:
            return
        self._has_ended = True
        self._chunks.clear()
        self._news.set()
        if not self._is_idle:
            self.abort()

    def shutdown(self) -> None:
        """Hear that the server ends."""
        self.drop()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the event loop's next turn."""
        asyncio.get_running_loop().call_soon(callback)

    async def take(self, timeout_s: float) -> bytes | None:
        """Return what waits, once there is something; nothing after `timeout_s`; None at the end."""
        self._make_room()
        self._is_idle = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return b""
        finally:
            self._is_idle = False
        if self._has_ended:
            return None
        self._news.clear()
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken

    def _make_room(self) -> None:
        self._bytes = sum(map(len, self._chunks))
        if self.is_full and self._bytes <= HIGH_WATER_BYTES:
            self.is_full = False
            if self.sender is not None:
                self.sender.wake()
