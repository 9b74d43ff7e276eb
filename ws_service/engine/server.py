"""The Socket.IO server: python-socketio's, on sessions of our own engine. It has one namespace, `/`."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import socketio
from socketio import packet
from socketio.exceptions import ConnectionRefusedError as Refused
from socketio.packet import Packet

from shared.metrics import limited
from shared.problems import Problem, problem
from shared.serving.deadlines import Deadlines
from shared.serving.rates.rate import rate
from ws_service.engine import json
from ws_service.engine.decoder import Incomplete, Malformed, decode
from ws_service.engine.engine import Engine
from ws_service.engine.packets import ConnectError, encode_ack, encode_connect, encode_connect_error
from ws_service.engine.session import Session
from ws_service.errors import Refusal
from ws_service.settings import Settings

_ROOT = "/"

# What counts as a request of the client.
_REQUESTS = {packet.CONNECT, packet.EVENT, packet.BINARY_EVENT}

# How often a client may be refused what it connects to, one after the other in one session.
MOST_REFUSALS = 5

# The fields of an object that a client sends. Each one that is not known is a mistake that is reported, and to find
# thousands of them takes its time.
MAX_FIELDS = 20


class ConnectionHooks(Protocol):
    """What the server asks about a client that connects."""

    async def connect(self, sid: str, session: Session, auth: Any) -> str:
        """Take a client, and return the private session id that the CONNECT answer carries; or raise Refused."""

    def connected(self, sid: str) -> None:
        """The CONNECT answer was sent: from now on the client can be sent to."""

    def acknowledged(self, sid: str, number: int, arguments: list[Any]) -> bool:
        """The client acknowledges an event, or whatever had the number; return whether that was waited for."""

    def disconnected(self, sid: str) -> None:
        """The client has gone."""


class Clients(socketio.AsyncManager):  # type: ignore[misc]  # the library ships no types
    """The connected clients. Rooms are the hub's topics: none has to be looked for when a client goes."""

    def __init__(self, sessions: dict[str, Session]) -> None:
        super().__init__()
        self.rooms: dict[str, Any] = {_ROOT: {}}
        self._sessions = sessions

    def get_participants(self, namespace: str, room: str | None) -> Iterator[tuple[str, str]]:  # noqa: ARG002  # the one
        """Return the ids of clients and their sessions: of everyone, or of the one that the room is named after."""
        wanted = self._sessions if room is None else {room} & self._sessions.keys()
        yield from [(sid, self._sessions[sid].sid) for sid in wanted]


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # the library ships no types
    """The Socket.IO server of the emitter."""

    def __init__(self, settings: Settings, hooks: ConnectionHooks) -> None:
        self._hooks = hooks
        self._clients: dict[str, Session] = {}
        # Packets whose binary attachments have not come yet.
        self._incomplete: dict[Session, Incomplete] = {}
        self._to_complete = Deadlines[Session](settings.request_timeout_ms / 1000, self._give_up)
        self._request_s = settings.request_timeout_ms / 1000
        self._max_payload = settings.max_payload_bytes
        self._most_requests = settings.client_messages_per_second
        self._requests = rate("requests", self._most_requests)
        # Each answer that refuses one costs, too: who goes on regardless is sent away.
        self._refused = rate("refused", self._most_requests)
        super().__init__(
            client_manager=Clients(self._clients),
            async_mode="asgi",
            cors_allowed_origins=list(settings.allowed_origins) or None,
            json=json,
            settings=settings,
            application=self,
        )

    async def receive(self, session: Session, message: str | bytes) -> None:
        """Take a message: a Socket.IO packet, or an attachment of the one before. What is neither ends the session."""
        try:
            if complete := self._complete(session, message):
                await self._take(session, complete)
        except Malformed:
            session.close()

    def closed(self, session: Session) -> None:
        """Forget a session's client."""
        self._forget_incomplete(session)
        self._disconnect(session)

    def _complete(self, session: Session, message: str | bytes) -> Packet | None:
        incomplete = self._incomplete.get(session)
        if isinstance(message, str):
            if incomplete:
                raise Malformed("text where an attachment belongs")
            packet = decode(message)
            if not packet.attachment_count:
                return packet
            self._incomplete[session] = Incomplete(packet, len(message))
            self._to_complete.add(session)
            return None
        if incomplete is None:
            raise Malformed("an attachment of nothing")
        is_complete = incomplete.attach(message)
        if incomplete.size > self._max_payload:
            limited.labels("payload").inc()
            detail = f"a message has at most {self._max_payload} bytes with its attachments"
            session.close(at_once=True, why=detail)
            return None
        if not is_complete:
            return None
        self._forget_incomplete(session)
        return incomplete.packet

    def _give_up(self, session: Session) -> None:
        limited.labels("message_time").inc()
        session.close(at_once=True, why=f"a message has to come within {self._request_s:g} s")

    def _forget_incomplete(self, session: Session) -> None:
        if self._incomplete.pop(session, None):
            self._to_complete.discard(session)

    async def _take(self, session: Session, taken: Packet) -> None:
        is_connected = session.client is not None and taken.namespace == _ROOT
        if is_connected == (taken.packet_type == packet.CONNECT) or taken.packet_type == packet.CONNECT_ERROR:
            session.close()
        elif taken.packet_type in _REQUESTS and (refusal := await self._refusal(session, taken)):
            self._refuse(session, taken, refusal)
        elif taken.packet_type == packet.CONNECT:
            await self._connect(session, taken)
        elif taken.packet_type == packet.DISCONNECT:
            self._disconnect(session)
        elif taken.packet_type in {packet.EVENT, packet.BINARY_EVENT}:
            await self._answer(session, taken)
        elif session.client is not None and taken.id is not None:
            self._acknowledge(session, session.client, taken)

    async def _connect(self, session: Session, taken: Packet) -> None:
        if taken.namespace != _ROOT:
            self._refuse_connect(session, taken.namespace, {"message": "Invalid namespace"})
            return
        sid = self.eio.generate_id()
        try:
            pid = await self._hooks.connect(sid, session, taken.data)
        except Refused as refused:
            self._refuse_connect(session, _ROOT, refused.error_args)
            return
        # Nothing awaits from the hook's own last decision to here, so that the session is still open.
        session.client = sid
        self._clients[sid] = session
        self.eio.connected(session)
        session.send(encode_connect(sid, pid))
        # The transport may have failed at just that.
        if session.client == sid:
            self._hooks.connected(sid)

    def _acknowledge(self, session: Session, sid: str, taken: Packet) -> None:
        if self._hooks.acknowledged(sid, taken.id, taken.data or []):
            # One packet was asked for. That it has attachments is known only now.
            session.transport.allowance.expect(taken.attachment_count)

    def _disconnect(self, session: Session) -> None:
        if session.client is not None:
            sid, session.client = session.client, None
            session.sender = None
            del self._clients[sid]
            self._hooks.disconnected(sid)

    async def _refusal(self, session: Session, taken: Packet) -> Problem | None:
        if not (self._is_first(session) or await self._requests.permits(session.sid)):
            limited.labels("messages").inc()
            if not await self._refused.permits(session.sid):
                limited.labels("flood").inc()
                session.close(at_once=True, why=f"far more than {self._most_requests} messages a second")
            return problem(429, f"at most {self._most_requests} messages a second: wait, and send it again")
        if any(isinstance(each, dict) and len(each) > MAX_FIELDS for each in _objects(taken)):
            limited.labels("fields").inc()
            return problem(422, f"an object has at most {MAX_FIELDS} fields")
        return None

    def _is_first(self, session: Session) -> bool:
        """Tell whether a client is about to connect for the first time: that was counted as a handshake."""
        return self.eio.is_connecting(session) and not session.refusals

    def _refuse(self, session: Session, taken: Packet, error: Problem) -> None:
        if taken.packet_type == packet.CONNECT:
            self._refuse_connect(session, taken.namespace, {"message": error["detail"], "data": error})
        elif taken.id is not None:
            refusal: Refusal = {"error": error}
            session.send(encode_ack(taken.id, refusal))

    def _refuse_connect(self, session: Session, namespace: str, error: ConnectError) -> None:
        session.send(encode_connect_error(namespace, error))
        session.refusals += 1
        if session.refusals >= MOST_REFUSALS:
            limited.labels("refusals").inc()
            session.close(why=f"refused {MOST_REFUSALS} times")

    async def _answer(self, session: Session, taken: Packet) -> None:
        name, *arguments = taken.data
        handlers: dict[str, Callable[..., Any]] = self.handlers[_ROOT]
        if isinstance(name, str) and name in handlers and name != "*":
            answer = handlers[name](session.client, *arguments)
        else:
            answer = handlers["*"](name, session.client, *arguments)
        if inspect.isawaitable(answer):
            answer = await answer
        if taken.id is not None:
            session.send(encode_ack(taken.id, answer))

    def _engineio_server_class(self) -> type[Engine]:
        return Engine


def _objects(taken: Packet) -> list[Any]:
    return [taken.data] if taken.packet_type == packet.CONNECT else taken.data[1:]
