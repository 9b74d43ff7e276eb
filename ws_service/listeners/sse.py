"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from collections.abc import AsyncGenerator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ws_service.engine.http import CONNECTION
from ws_service.listeners.encoding import SSE
from ws_service.listeners.listeners import Listeners
from ws_service.listeners.outbox import Outbox
from ws_service.listeners.query import Query
from ws_service.sockets.connection import Feed

# How long a browser waits before it comes back.
_RETRY = b"retry: 1000\n\n"

_HEARTBEAT = b":\n\n"


class EventStream(StreamingResponse):
    """A response that goes on until one side ends it."""

    media_type = "text/event-stream"

    def __init__(self, listeners: Listeners, query: Query, headers: Mapping[str, str]) -> None:
        # Proxies that keep answers back until there is much of them would keep back these for ever.
        own = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        self._events = self._tell()
        super().__init__(self._events, headers={**headers, **own})
        self._listeners = listeners
        self._query = query
        self._outbox = Outbox(listeners.settings.max_pending_bytes)
        self._feed: Feed[bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and leave nothing behind, however it ends."""
        self._outbox.abort = scope["extensions"][CONNECTION]["abort"]
        self._listeners.begin(self._outbox, self._query)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listeners.end(self._outbox)
            if self._feed is not None:
                self._listeners.leave(self._feed)
            # It refers to this object, and would do so until rubbish is collected.
            await self._events.aclose()

    async def _tell(self) -> AsyncGenerator[bytes, None]:
        yield _RETRY
        self._feed = self._outbox.sender = await self._listeners.join(self._query, self._outbox, SSE)
        self._feed.greet()
        interval_s = self._listeners.settings.ping_interval_ms / 1000
        while (taken := await self._outbox.take(interval_s)) is not None:
            yield taken or _HEARTBEAT
