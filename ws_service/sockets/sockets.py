"""The Socket.IO clients of this emitter: how they come, what they may ask, how they go."""

from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from socketio.exceptions import ConnectionRefusedError as Refused

from shared.events import Position
from shared.identity.errors import BadToken, KeysAway
from shared.metrics import limited
from shared.problems import FieldError, Problem, invalid_fields, problem, summary
from ws_service.engine.server import SocketServer
from ws_service.engine.session import Session
from ws_service.errors import Refusal
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import Subscription
from ws_service.messages.acknowledgements import Acknowledgements
from ws_service.messages.courier import Courier
from ws_service.messages.publisher import Published, Publisher
from ws_service.settings import Settings
from ws_service.sockets import attendance, recovery
from ws_service.sockets.access import Access
from ws_service.sockets.answers import Authenticated, Subscribed, Unsubscribed
from ws_service.sockets.connection import Connection
from ws_service.sockets.handover import wait_for_history
from ws_service.sockets.requests import Authenticate, Handshake, Subscribe, Unsubscribe
from ws_service.topics.permissions import NotPermitted
from ws_service.topics.topics import Choice


class Sockets:
    """All Socket.IO clients, by their session id."""

    def __init__(
        self, settings: Settings, hub: Hub, courier: Courier, acknowledgements: Acknowledgements, access: Access
    ) -> None:
        self._settings = settings
        self._choice = Choice(settings.unnumbered_topics, settings.max_topics)
        self._hub = hub
        self._tokens, self._permissions, self._standings = access
        self._publisher = Publisher(settings, courier, access.permissions)
        self._acknowledgements = acknowledgements
        self._connections: dict[str, Connection] = {}
        self.server = SocketServer(settings, self)
        self.server.on("subscribe", self._subscribe)
        self.server.on("unsubscribe", self._unsubscribe)
        self.server.on("publish", self._publish)
        self.server.on("authenticate", self._authenticate)
        self.server.on("*", self._unknown)

    async def connect(self, sid: str, session: Session, auth: Any) -> str:
        """Take a client, and return the private session id that the CONNECT answer carries; or raise Refused."""
        try:
            handshake = Handshake.model_validate({} if auth is None else auth, context=self._choice)
            who = await self._tokens.identify(handshake.token)
            topics = frozenset(handshake.topics)
            self._permissions.check(topics, who)
        except ValidationError as error:
            raise Refused("the handshake's auth is not valid", _problem(error)) from None
        except BadToken as error:
            raise Refused("the handshake's token is not valid", _bad_token(error)) from None
        except NotPermitted as error:
            raise Refused("the handshake's topics are not permitted", _not_permitted(error)) from None
        except KeysAway as error:
            raise Refused("the handshake's token cannot be read now", problem(503, str(error))) from None
        await wait_for_history(self._hub, self._settings.handover_timeout_ms)
        # No await from here to the end: nothing can come between the position and the subscription.
        start = recovery.start(handshake, self._hub.position, self._hub.history)
        connection = Connection(sid, session, self._hub, self._settings.instance)
        connection.begin(topics, start, who.subject)
        self._standings.begin(connection, who)
        session.sender = self._connections[sid] = connection
        attendance.came(handshake, start)
        return start.pid

    def connected(self, sid: str) -> None:
        """Begin to write: the CONNECT answer is on its way."""
        self._connections[sid].greet()

    def acknowledged(self, sid: str, number: int, arguments: list[Any]) -> bool:
        """Take a client's acknowledgement of a message; return whether it was waited for."""
        return self._acknowledgements.take(sid, number, arguments)

    def disconnected(self, sid: str) -> None:
        """Forget a client that has gone."""
        self._acknowledgements.forget(sid)
        connection = self._connections.pop(sid)
        self._standings.end(connection)
        connection.end()
        attendance.went()

    async def _subscribe(self, sid: str, request: Any = None, *_: Any) -> Subscribed | Refusal:
        try:
            wanted = Subscribe.model_validate(request, context=self._choice)
        except ValidationError as error:
            return {"error": _problem(error)}
        if (connection := self._connections.get(sid)) is None:
            return _GONE
        topics = frozenset(wanted.topics)
        try:
            self._permissions.check(topics, self._standings.who(connection))
        except NotPermitted as error:
            return {"error": _not_permitted(error)}
        return await self._add(connection.subscription, topics, wanted.after)

    async def _add(
        self, subscription: Subscription, wanted: frozenset[str], after: Position | None
    ) -> Subscribed | Refusal:
        if len(subscription.topics | wanted) > self._choice.most:
            limited.labels("topics").inc()
            return {"error": problem(422, f"at most {self._choice.most} topics for each socket")}
        history, now = self._hub.history, self._hub.position
        recovered = after is not None and now is not None and recovery.recoverable(after, now, history, wanted)
        past = after.seq if after is not None and recovered else None
        if sent := self._hub.subscriptions.join(subscription, wanted, history.last, past):
            # Acknowledged once the past was sent: a client that hears no acknowledgement subscribes again.
            await sent.wait()
        return {"topics": sorted(subscription.topics), "recovered": recovered}

    def _unsubscribe(self, sid: str, request: Any = None, *_: Any) -> Unsubscribed | Refusal:
        try:
            unwanted = Unsubscribe.model_validate(request, context=self._choice)
        except ValidationError as error:
            return {"error": _problem(error)}
        if connection := self._connections.get(sid):
            self._hub.subscriptions.leave(connection.subscription, frozenset(unwanted.topics))
            return {"topics": sorted(connection.subscription.topics)}
        return _GONE

    async def _publish(self, sid: str, request: Any = None, *_: Any) -> Published | Refusal:
        if connection := self._connections.get(sid):
            member = connection.subscription.member
            return await self._publisher.publish(member, self._standings.who(connection), request)
        return _GONE

    async def _authenticate(self, sid: str, request: Any = None, *_: Any) -> Authenticated | Refusal:
        try:
            who = await self._tokens.identify(Authenticate.model_validate(request).token)
        except ValidationError as error:
            return {"error": _problem(error)}
        except BadToken as error:
            return {"error": _bad_token(error)}
        except KeysAway as error:
            return {"error": problem(503, str(error))}
        if (connection := self._connections.get(sid)) is None:
            return _GONE
        if not self._standings.may_become(connection, who):
            return {"error": problem(403, "this socket is another user's: connect anew")}
        self._standings.renew(connection, who)
        expires_at = datetime.fromtimestamp(who.expires_at, UTC).isoformat(timespec="seconds")
        return {"user": who.subject, "expires_at": expires_at}

    def _unknown(self, event: str | float, _sid: str, *_: Any) -> Refusal:
        return {
            "error": problem(
                404, f"there is no event {str(event)[:100]!r}: use subscribe, unsubscribe, publish or authenticate"
            )
        }


# Nobody hears this one: the socket went while its request was on the way.
_GONE: Refusal = {"error": problem(410, "the socket is gone")}


def _problem(error: ValidationError) -> Problem:
    errors = invalid_fields(error)
    return problem(422, summary(errors), errors)


def _bad_token(error: BadToken) -> Problem:
    return problem(401, str(error), [FieldError("token", str(error))])


def _not_permitted(error: NotPermitted) -> Problem:
    return problem(error.status, str(error), [FieldError("topics", str(error))])
