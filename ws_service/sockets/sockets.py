"""The Socket.IO clients of this emitter: how they come, what they may ask, how they go."""

import asyncio
from contextlib import suppress
from typing import Any

import orjson
from pydantic import ValidationError
from socketio.exceptions import ConnectionRefusedError as Refused

from shared.emitter_api import Message
from shared.events import Position
from shared.problems import field_errors, problem
from ws_service import metrics
from ws_service.engine.server import SocketServer
from ws_service.engine.session import Session
from ws_service.ingest.hub import Hub
from ws_service.ingest.outgoing import Note
from ws_service.ingest.subscriptions import Subscription
from ws_service.settings import Settings
from ws_service.sockets import recovery
from ws_service.sockets.connection import Connection
from ws_service.sockets.requests import Handshake, Subscribe, Unsubscribe
from ws_service.sockets.topics import MAX_TOPICS

_MOST_WAITS = 6


class Sockets:
    """All Socket.IO clients, by their session id."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self._settings = settings
        self._hub = hub
        self._connections: dict[str, Connection] = {}
        self.server = SocketServer(settings, self)
        self.server.on("subscribe", self._subscribe)
        self.server.on("unsubscribe", self._unsubscribe)
        self.server.on("*", self._unknown)

    def emit(self, message: Message) -> int:
        """Send an unnumbered message now; return how many sockets it went to."""
        subscriptions = self._hub.subscriptions
        wanted = subscriptions.everyone() if message.to is None else subscriptions.of(message.to)
        note = Note(message.event, orjson.dumps(message.payload))
        for subscription in wanted:
            subscription.listener.send(note)
        metrics.messages.inc(len(wanted))
        return len(wanted)

    async def connect(self, sid: str, session: Session, auth: Any) -> str:
        """Take a client, and return the private session id that the CONNECT answer carries; or raise Refused."""
        try:
            handshake = Handshake.model_validate({} if auth is None else auth)
        except ValidationError as error:
            raise Refused("the handshake's auth is not valid", _problem(error)) from None
        await self._wait_for_history()
        # No await from here to the end: nothing can come between the position and the subscription.
        start = recovery.start(handshake, self._hub.position, self._hub.history)
        connection = Connection(sid, session, self._hub, self._settings.instance)
        connection.begin(frozenset(handshake.topics), start)
        session.sender = self._connections[sid] = connection
        metrics.connections.inc()
        metrics.connects.labels(str(start.recovered).lower()).inc()
        return start.pid

    def connected(self, sid: str) -> None:
        """Begin to write: the CONNECT answer is on its way."""
        self._connections[sid].greet()

    def disconnected(self, sid: str) -> None:
        """Forget a client that has gone."""
        self._connections.pop(sid).end()
        metrics.connections.dec()

    async def _subscribe(self, sid: str, request: Any = None, *_: Any) -> dict[str, Any]:
        try:
            wanted = Subscribe.model_validate(request)
        except ValidationError as error:
            return {"error": _problem(error)}
        if connection := self._connections.get(sid):
            return await self._add(connection.subscription, frozenset(wanted.topics), wanted.after)
        return _GONE

    async def _add(self, subscription: Subscription, wanted: frozenset[str], after: Position | None) -> dict[str, Any]:
        if len(subscription.topics | wanted) > MAX_TOPICS:
            return {"error": problem(422, f"at most {MAX_TOPICS} topics for each socket")}
        history, now = self._hub.history, self._hub.position
        recovered = after is not None and now is not None and recovery.recoverable(after, now, history, wanted)
        past = after.seq if after is not None and recovered else None
        if sent := self._hub.subscriptions.join(subscription, wanted, history.last, past):
            # Acknowledged once the past was sent: a client that hears no acknowledgement subscribes again.
            await sent.wait()
        return {"topics": sorted(subscription.topics), "recovered": recovered}

    def _unsubscribe(self, sid: str, request: Any = None, *_: Any) -> dict[str, Any]:
        try:
            unwanted = Unsubscribe.model_validate(request)
        except ValidationError as error:
            return {"error": _problem(error)}
        if connection := self._connections.get(sid):
            self._hub.subscriptions.leave(connection.subscription, frozenset(unwanted.topics))
            return {"topics": sorted(connection.subscription.topics)}
        return _GONE

    def _unknown(self, event: str | float, _sid: str, *_: Any) -> dict[str, Any]:
        return {"error": problem(404, f"there is no event {str(event)[:100]!r}: use subscribe or unsubscribe")}

    async def _wait_for_history(self) -> None:
        # A long history takes longer than the time-out: as long as it is coming in, waiting is worth it.
        for _ in range(_MOST_WAITS):
            arrived = self._hub.history.last
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.handover_timeout_ms / 1000):
                    await self._hub.opened()
            if self._hub.position is not None or self._hub.history.last == arrived:
                return


# Nobody hears this one: the socket went while its request was on the way.
_GONE = {"error": problem(410, "the socket is gone")}


def _problem(error: ValidationError) -> dict[str, Any]:
    errors = field_errors(error.errors(include_url=False, include_input=False, include_context=False))
    return problem(422, "; ".join(f"{field}: {message}" for field, message in errors), errors)
