"""Those who listen without Socket.IO, by server-sent events or a plain websocket: how they come and go."""

from typing import Protocol

from shared.problems import FieldError
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest
from ws_service.errors import Forbidden, Unauthorized, Unavailable
from ws_service.ingest.hub import Hub
from ws_service.listeners.query import LAST_EVENT_ID, Query
from ws_service.settings import Settings
from ws_service.sockets import attendance, recovery
from ws_service.sockets.connection import Encoding, Feed, Session
from ws_service.sockets.handover import wait_for_history
from ws_service.sockets.tokens import BadToken, Tokens


class Stream(Session[bytes], Protocol):
    """The transport of a listener."""

    def shutdown(self) -> None:
        """End it at once: the server ends."""


class Listeners:
    """All listeners of this emitter. `streams` are their transports, also of those that still wait for the history."""

    def __init__(self, settings: Settings, hub: Hub, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.streams: set[Stream] = set()
        self._hub = hub
        self._tokens = Tokens(settings)

    def check(self, request: EngineRequest, *, is_sse: bool) -> Query:
        """Return what a request asks for; raise a CallError."""
        if not self.engine.is_allowed(request):
            raise Forbidden("the page's origin is not allowed: STORECAST_ALLOWED_ORIGINS")
        if not self.engine.admits():
            raise Unavailable("this emitter takes no new clients now")
        last_event_id = request.headers.get(LAST_EVENT_ID.lower()) if is_sse else None
        query = Query.read(request.query, last_event_id, self.settings.client_topics)
        return query._replace(user=self._user(query.handshake.token))

    async def join(self, query: Query, stream: Stream, encoding: Encoding[bytes]) -> Feed[bytes]:
        """Have a stream take its place among the subscribers, once there is a history."""
        await wait_for_history(self._hub, self.settings.handover_timeout_ms)
        # No await from here to the end: nothing can come between the position and the subscription.
        handshake = query.at(self._hub.position)
        start = recovery.start(handshake, self._hub.position, self._hub.history)
        feed = Feed(self.engine.generate_id(), stream, self._hub, self.settings.instance, encoding)
        feed.begin(frozenset(handshake.topics), start, query.user)
        attendance.came(handshake, start)
        return feed

    def leave(self, feed: Feed[bytes]) -> None:
        """Forget a listener that has gone."""
        feed.end()
        attendance.went()

    def shutdown(self) -> None:
        """End all streams: the server ends, and their clients go elsewhere."""
        for stream in list(self.streams):
            stream.shutdown()

    def _user(self, token: str | None) -> str | None:
        try:
            return None if token is None else self._tokens.subject(token)
        except BadToken as error:
            message = str(error)
            raise Unauthorized(message, [FieldError("token", message)], {"WWW-Authenticate": "Bearer"}) from None
