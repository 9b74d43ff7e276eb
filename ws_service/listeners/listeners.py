"""Those who listen without Socket.IO, by server-sent events or a plain websocket: how they come and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from shared.identity.bearer import bearer_token
from shared.identity.errors import BadToken, KeysAway
from shared.problems import FieldError
from shared.serving.http.errors import TooManyRequests, Unavailable
from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest
from ws_service.errors import Forbidden, Unauthorized
from ws_service.ingest.hub import Hub
from ws_service.limits.admission import NotAdmitted
from ws_service.listeners.query import LAST_EVENT_ID, Query
from ws_service.settings import Settings
from ws_service.sockets import attendance, recovery
from ws_service.sockets.access import Access
from ws_service.sockets.connection import Encoding, Feed, Session
from ws_service.sockets.handover import wait_for_history
from ws_service.topics.permissions import NotPermitted
from ws_service.topics.topics import Choice


class Stream(Session[bytes], Protocol):
    """The transport of a listener."""

    def shutdown(self) -> None:
        """End it at once: the server ends."""


class Listeners:
    """All listeners of this emitter.

    `streams` are their transports and the addresses that these lead to, also of those that still wait for the history.
    """

    def __init__(self, settings: Settings, hub: Hub, engine: Engine, access: Access) -> None:
        self.settings = settings
        self._choice = Choice(settings.unnumbered_topics, settings.max_topics)
        self.engine = engine
        self.streams: dict[Stream, str] = {}
        self._hub = hub
        self._tokens, self._permissions, self._standings = access

    async def welcome(self, request: EngineRequest, *, is_sse: bool) -> Query:
        """Return what a request asks for, of a client that may come; raise a HttpError."""
        query = self._read(request, is_sse=is_sse)
        admission = self.engine.admission
        with _refusals():
            address = await admission.admit(request)
            who = await self._tokens.identify(query.handshake.token)
            self._permissions.check(frozenset(query.handshake.topics), who)
            admission.look(address)
        return query._replace(who=who, address=address)

    def begin(self, stream: Stream, query: Query) -> None:
        """Count a client that was welcomed."""
        self.streams[stream] = query.address
        self.engine.admission.enter(query.address)

    def end(self, stream: Stream) -> None:
        """Count it no more. It may be called more than once."""
        address = self.streams.pop(stream, None)
        if address is not None:
            self.engine.admission.leave(address)

    def _read(self, request: EngineRequest, *, is_sse: bool) -> Query:
        if not self.engine.is_allowed(request):
            raise Forbidden("the page's origin is not allowed: STORECAST_ALLOWED_ORIGINS")
        last_event_id = request.headers.get(LAST_EVENT_ID.lower()) if is_sse else None
        with _refusals():
            token = bearer_token(request.headers.get("authorization"))
        return Query.read(request.query, last_event_id, token, self._choice)

    async def join(self, query: Query, stream: Stream, encoding: Encoding[bytes]) -> Feed[bytes]:
        """Have a stream take its place among the subscribers, once there is a history."""
        await wait_for_history(self._hub, self.settings.handover_timeout_ms)
        # No await from here to the end: nothing can come between the position and the subscription.
        handshake = query.at(self._hub.position)
        start = recovery.start(handshake, self._hub.position, self._hub.history)
        feed = Feed(self.engine.generate_id(), stream, self._hub, self.settings.instance, encoding)
        feed.begin(frozenset(handshake.topics), start, query.who.subject)
        self._standings.begin(feed, query.who)
        attendance.came(handshake, start)
        return feed

    def leave(self, feed: Feed[bytes]) -> None:
        """Forget a listener that has gone."""
        self._standings.end(feed)
        feed.end()
        attendance.went()

    def shutdown(self) -> None:
        """End all streams: the server ends, and their clients go elsewhere."""
        for stream in list(self.streams):
            stream.shutdown()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except BadToken as error:
        raise Unauthorized(str(error), [FieldError("token", str(error))]) from None
    except NotPermitted as error:
        fields = [FieldError("topics", str(error))]
        if error.status == Unauthorized.status:
            raise Unauthorized(str(error), fields) from None
        raise Forbidden(str(error), fields) from None
    except KeysAway as error:
        raise Unavailable(str(error)) from None
    except NotAdmitted as error:
        raise (TooManyRequests if error.status == TooManyRequests.status else Unavailable)(error.reason) from None
