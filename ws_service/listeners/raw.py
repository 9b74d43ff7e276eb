"""Plain websockets: one JSON object a message, and nothing to be said by the client."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from websockets.frames import CloseCode, Frame, Opcode

from shared.problems import CONTENT_TYPE, problem
from shared.serving.deadlines import Deadlines
from shared.serving.http.errors import HttpError
from ws_service import metrics
from ws_service.engine.frames import FrameProtocol, Limits
from ws_service.engine.http import Opener
from ws_service.engine.requests import EngineRequest, Refused
from ws_service.listeners.encoding import RAW
from ws_service.listeners.listeners import Listeners
from ws_service.listeners.query import Query
from ws_service.sockets.connection import Feed

_PING = Frame(Opcode.PING, b"").serialize(mask=False)

_log = structlog.get_logger(__name__)


class _Refused(Refused):
    """A handshake that is answered with a problem document."""

    content_type = CONTENT_TYPE

    def __init__(self, error: HttpError) -> None:
        body = problem(error.status_code, error.detail, error.errors)
        retry_after_s = (error.headers or {}).get("Retry-After")
        super().__init__(
            0, orjson.dumps(body).decode(), error.status_code, None if retry_after_s is None else int(retry_after_s)
        )


class RawSockets(Limits):
    """All plain websockets of an emitter."""

    def __init__(self, listeners: Listeners) -> None:
        super().__init__(listeners.settings)
        self.listeners = listeners
        self.to_ping = Deadlines[RawSocket](listeners.settings.ping_interval_ms / 1000, RawSocket.ping)
        self.to_pong = Deadlines[RawSocket](listeners.settings.ping_timeout_ms / 1000, RawSocket.give_up)

    async def admit(self, request: EngineRequest) -> Opener:
        """Return what opens the websocket that is asked for, before anything else is awaited; raise Refused."""
        try:
            query = await self.listeners.welcome(request, is_sse=False)
        except HttpError as error:
            raise _Refused(error) from None
        return functools.partial(RawSocket, self, query)


class RawSocket(FrameProtocol):
    """One listener."""

    __slots__ = ("_feed", "_joining", "_shared")

    def __init__(self, shared: RawSockets, query: Query, transport: asyncio.Transport, connections: set[Any]) -> None:
        super().__init__(shared, transport, connections)
        self._shared = shared
        self._feed: Feed[bytes] | None = None
        shared.listeners.begin(self, query)
        shared.to_ping.add(self)
        self._joining = shared.listeners.engine.start(self._join(query))

    # What the feed calls.

    def send(self, frames: bytes, /) -> None:
        """Write at once."""
        self.write(frames)

    def drop(self) -> None:
        """End it, so that the client comes back."""
        self.end(CloseCode.TRY_AGAIN_LATER, "connect again, with the last offset as after")

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the event loop's next turn."""
        asyncio.get_running_loop().call_soon(callback)

    # What the deadlines call.

    def ping(self) -> None:
        """See whether the client is there."""
        self._shared.to_pong.add(self)
        self.allowance.expect(1)
        self.write(_PING)

    def give_up(self) -> None:
        """Hear that it is not."""
        self.end(CloseCode.INTERNAL_ERROR, "the pong is missing")

    # What the frames call.

    def data_received(self, data: bytes) -> None:
        """Take anything for a sign of life."""
        if not self._is_closing:
            self._shared.to_pong.discard(self)
            self._shared.to_ping.add(self)
        super().data_received(data)

    def receive(self, message: str | bytes) -> None:  # noqa: ARG002  # whatever it is
        """Refuse what the client says: it would wait for an answer."""
        self.end(CloseCode.POLICY_VIOLATION, "nothing is read here: topics are chosen in the URL")

    def filled(self) -> None:
        """Give it nothing more."""
        if self._feed is not None:
            self._feed.hold()

    def drained(self) -> None:
        """Go on."""
        if self._feed is not None:
            self._feed.wake()

    def overflowed(self) -> None:
        """Count a client that does not take what is sent to it."""
        metrics.cut_off.labels("pending").inc()
        _log.info("more waits for a listener than may; it is cut off and comes back")
        self.leave()

    def leave(self) -> None:
        """Give it nothing more. It counts until the connection is lost."""
        self._shared.to_ping.discard(self)
        self._shared.to_pong.discard(self)
        self._joining.cancel()
        if self._feed is not None:
            feed, self._feed = self._feed, None
            self._shared.listeners.leave(feed)

    def shutdown(self) -> None:
        """Hear from uvicorn that the server ends."""
        self.leave()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        super().connection_lost(exc)
        self._shared.listeners.end(self)

    async def _join(self, query: Query) -> None:
        self._feed = await self._shared.listeners.join(query, self, RAW)
        self._feed.greet()
