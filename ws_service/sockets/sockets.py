"""The Socket.IO clients of this emitter: how they come, what they may ask, how they go."""

from typing import Any

from pydantic import ValidationError
from socketio.exceptions import ConnectionRefusedError as Refused

from shared.events import Position
from shared.problems import FieldError, invalid_fields, problem, summary
from ws_service.engine.server import SocketServer
from ws_service.engine.session import Session
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import Subscription
from ws_service.messages.acknowledgements import Acknowledgements
from ws_service.messages.courier import Courier
from ws_service.messages.publisher import Publisher
from ws_service.settings import Settings
from ws_service.sockets import attendance, recovery
from ws_service.sockets.connection import Connection
from ws_service.sockets.handover import wait_for_history
from ws_service.sockets.requests import Handshake, Subscribe, Unsubscribe
from ws_service.sockets.tokens import BadToken, Tokens
from ws_service.sockets.topics import MAX_TOPICS


class Sockets:
    """All Socket.IO clients, by their session id."""

    def __init__(self, settings: Settings, hub: Hub, courier: Courier, acknowledgements: Acknowledgements) -> None:
        self._settings = settings
        self._hub = hub
        self._tokens = Tokens(settings)
        self._publisher = Publisher(settings, courier)
        self._acknowledgements = acknowledgements
        self._connections: dict[str, Connection] = {}
        self.server = SocketServer(settings, self)
        self.server.on("subscribe", self._subscribe)
        self.server.on("unsubscribe", self._unsubscribe)
        self.server.on("publish", self._publish)
        self.server.on("*", self._unknown)

    async def connect(self, sid: str, session: Session, auth: Any) -> str:
        """Take a client, and return the private session id that the CONNECT answer carries; or raise Refused."""
        try:
            handshake = Handshake.model_validate({} if auth is None else auth, context=self._settings.client_topics)
            user = None if handshake.token is None else self._tokens.subject(handshake.token)
        except ValidationError as error:
            raise Refused("the handshake's auth is not valid", _problem(error)) from None
        except BadToken as error:
            refusal = problem(401, str(error), [FieldError("token", str(error))])
            raise Refused("the handshake's token is not valid", refusal) from None
        await wait_for_history(self._hub, self._settings.handover_timeout_ms)
        # No await from here to the end: nothing can come between the position and the subscription.
        start = recovery.start(handshake, self._hub.position, self._hub.history)
        connection = Connection(sid, session, self._hub, self._settings.instance)
        connection.begin(frozenset(handshake.topics), start, user)
        session.sender = self._connections[sid] = connection
        attendance.came(handshake, start)
        return start.pid

    def connected(self, sid: str) -> None:
        """Begin to write: the CONNECT answer is on its way."""
        self._connections[sid].greet()

    def acknowledged(self, sid: str, number: int, arguments: list[Any]) -> None:
        """Take a client's acknowledgement of a message."""
        self._acknowledgements.take(sid, number, arguments)

    def disconnected(self, sid: str) -> None:
        """Forget a client that has gone."""
        self._acknowledgements.forget(sid)
        self._publisher.forget(sid)
        self._connections.pop(sid).end()
        attendance.went()

    async def _subscribe(self, sid: str, request: Any = None, *_: Any) -> dict[str, Any]:
        try:
            wanted = Subscribe.model_validate(request, context=self._settings.client_topics)
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
            unwanted = Unsubscribe.model_validate(request, context=self._settings.client_topics)
        except ValidationError as error:
            return {"error": _problem(error)}
        if connection := self._connections.get(sid):
            self._hub.subscriptions.leave(connection.subscription, frozenset(unwanted.topics))
            return {"topics": sorted(connection.subscription.topics)}
        return _GONE

    async def _publish(self, sid: str, request: Any = None, *_: Any) -> dict[str, Any]:
        if connection := self._connections.get(sid):
            return await self._publisher.publish(connection.subscription.member, request)
        return _GONE

    def _unknown(self, event: str | float, _sid: str, *_: Any) -> dict[str, Any]:
        return {"error": problem(404, f"there is no event {str(event)[:100]!r}: use subscribe, unsubscribe or publish")}


# Nobody hears this one: the socket went while its request was on the way.
_GONE = {"error": problem(410, "the socket is gone")}


def _problem(error: ValidationError) -> dict[str, Any]:
    errors = invalid_fields(error)
    return problem(422, summary(errors), errors)
