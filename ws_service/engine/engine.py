"""The Engine.IO server: sessions, their heartbeat, and the requests of either transport.

A subclass of python-engineio's, of which it keeps the options, the session ids and the rules of origins.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

import engineio
import orjson
import structlog
from starlette.types import Receive, Scope, Send

from shared.metrics import limited
from shared.serving.deadlines import Deadlines
from ws_service import metrics
from ws_service.engine.packets import PING, Packets
from ws_service.engine.polling import TEXT, Answer, Polling
from ws_service.engine.requests import EngineRequest, Refused, check
from ws_service.engine.session import Session, Transport
from ws_service.limits.admission import Admission, NotAdmitted
from ws_service.settings import Settings

# How long a client may be between two polls and still be told that its session has ended.
_TELL_S = 30

_log = structlog.get_logger(__name__)


class Application(Protocol):
    """Who is above: it is given the messages of the sessions."""

    async def receive(self, session: Session, message: str | bytes) -> None:
        """Deal with a message. The next one of the same client comes when this has returned."""

    def closed(self, session: Session) -> None:
        """Hear that a session has ended."""


class _ClientGone(Exception):
    """The client went away in the middle of its request."""


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # the library ships no types
    """All Engine.IO sessions of this process, by their id in `sockets`."""

    def __init__(self, settings: Settings, application: Application, **options: Any) -> None:
        super().__init__(monitor_clients=False, **options)
        self._application = application
        self._settings = settings
        self._max_payload = settings.max_payload_bytes
        self._opened = {
            "pingInterval": settings.ping_interval_ms,
            "pingTimeout": settings.ping_timeout_ms,
            "maxPayload": settings.max_payload_bytes,
        }
        self._to_ping = Deadlines[Session](settings.ping_interval_ms / 1000, self._ping)
        self._to_pong = Deadlines[Session](settings.ping_timeout_ms / 1000, Session.drop)
        # Those who have sent something else than the pong that is waited for: once, that is as good.
        self._reprieved: set[Session] = set()
        self._to_connect = Deadlines[Session](settings.connect_timeout_ms / 1000, self._give_up)
        self._to_tell = Deadlines[Session](_TELL_S, self._forget)
        # Set before anybody comes.
        self.admission: Admission
        # The loop itself keeps no hold of its tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    # What transports and sessions call.

    def open(self, transport: Transport, address: str) -> tuple[Session, Packets]:
        """Begin the session of a client that was admitted; return it with the packet that says so."""
        session = Session(self, self.generate_id(), transport, address)
        self.sockets[session.sid] = session
        self.admission.enter(address)
        self._to_ping.add(session)
        self._to_connect.add(session)
        upgrades = ["websocket"] if transport.name == "polling" else []
        opened = {"sid": session.sid, "upgrades": upgrades, **self._opened}
        return session, Packets([b"0" + orjson.dumps(opened)])

    def closed(self, session: Session, *, to_be_told: bool) -> None:
        """Forget a session that has ended; one that is to be told is answered once more."""
        if isinstance(session.transport, Polling):
            # A websocket counts until its connection is lost: it may be open for long after its session has ended.
            self.admission.leave(session.address)
        for deadlines in (self._to_ping, self._to_pong, self._to_connect):
            deadlines.discard(session)
        self._reprieved.discard(session)
        if to_be_told:
            self._to_tell.add(session)
        else:
            self._forget(session)
        self._application.closed(session)

    def close_all(self) -> None:
        """End all sessions: the server ends, and their clients go elsewhere."""
        for session in list(self.sockets.values()):
            session.close(at_once=True)

    def overflowed(self, session: Session) -> None:
        """Count a client that does not take what is sent to it."""
        metrics.cut_off.labels("pending").inc()
        _log.info("more waits for a client than may; it is cut off and comes back", session=session.sid)

    def is_connecting(self, session: Session) -> bool:
        """Tell whether a client has not connected to a namespace yet."""
        return session in self._to_connect

    def connected(self, session: Session) -> None:
        """Stop waiting for the client to connect to a namespace."""
        self._to_connect.discard(session)

    def heard(self, session: Session) -> None:
        """Wait on, once, for the pong of a client that has sent something."""
        if session in self._to_pong and session not in self._reprieved:
            self._reprieved.add(session)
            self._to_pong.add(session)

    def ponged(self, session: Session) -> None:
        """Ping again after the interval."""
        self._to_pong.discard(session)
        self._to_ping.add(session)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what deals with a session's messages."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def receive(self, session: Session, message: str | bytes) -> None:
        """Hand a message up. Whatever goes wrong there ends this one session."""
        try:
            await self._application.receive(session, message)
        except Exception:  # noqa: BLE001  # logged, and the client comes back
            _log.exception("a message could not be dealt with; its session is closed", session=session.sid)
            session.close(at_once=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a session's task failed", exc_info=error)

    def _ping(self, session: Session) -> None:
        self._reprieved.discard(session)
        self._to_pong.add(session)
        session.send(PING)

    def _forget(self, session: Session) -> None:
        self.sockets.pop(session.sid, None)

    # What python-socketio calls.

    async def send_packet(self, sid: str, pkt: engineio.packet.Packet) -> None:
        """Send a packet to a session; one that is gone is passed over."""
        if session := self.sockets.get(sid):
            session.send(Packets([pkt.encode().encode()]))

    # Requests.

    def is_allowed(self, request: EngineRequest) -> bool:
        """Tell whether the page that a request comes from, if it is a page, may listen."""
        origin = request.headers.get("origin")
        if origin is None:
            return True
        allowed = self._cors_allowed_origins(_environ(request))  # None: any
        return allowed is None or origin in allowed

    def cors_headers(self, request: EngineRequest) -> list[tuple[str, str]]:
        """Return the headers by which a page of an allowed origin may read the answer."""
        headers: list[tuple[str, str]] = self._cors_headers(_environ(request))
        return headers

    def check(self, request: EngineRequest) -> Session | None:
        """Return the session that a request belongs to; None for a new one; raise Refused."""
        if not self.is_allowed(request):
            # Above all for websockets, for which browsers have no such rule.
            raise Refused(3, "the page's origin is not allowed: STORECAST_ALLOWED_ORIGINS")
        return check(request, self.sockets)

    async def admit(self, request: EngineRequest) -> str:
        """Return the address of a new client, for `open` before anything else is awaited; raise Refused."""
        try:
            return await self.admission.admit(request)
        except NotAdmitted as error:
            raise Refused(3, error.reason, error.status, error.retry_after_s) from None

    async def permit_upgrade(self, request: EngineRequest) -> None:
        """Count a websocket that wants to take a session over; raise Refused."""
        try:
            await self.admission.permit_upgrade(request)
        except NotAdmitted as error:
            raise Refused(3, error.reason, error.status, error.retry_after_s) from None

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to the engine's path: long-polling, or a handshake that is none."""
        request = EngineRequest.of_scope(scope)
        try:
            answer = await self._answer(request, receive)
        except Refused as refused:
            answer = Answer(refused.status, "application/json", refused.body, refused.retry_after_s)
        except _ClientGone:
            return
        headers = [("Content-Length", str(len(answer.body))), ("Cache-Control", "no-store")]
        if answer.retry_after_s is not None:
            headers.append(("Retry-After", str(answer.retry_after_s)))
        if answer.content_type:
            headers.append(("Content-Type", answer.content_type))
        headers += self.cors_headers(request)
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, request: EngineRequest, receive: Receive) -> Answer:
        if request.method == "OPTIONS":
            return Answer(204)
        session = self.check(request)
        if session is None:
            transport = Polling(self._settings)
            transport.session, opened = self.open(transport, await self.admit(request))
            return Answer(200, TEXT, opened.payload)
        polling = session.transport
        assert isinstance(polling, Polling)  # noqa: S101  # checked above
        if request.method == "GET":
            return await self._poll(session, polling, receive)
        if request.method == "POST":
            return await self._post(session, polling, request, receive)
        raise Refused(3, "Bad request")

    async def _poll(self, session: Session, polling: Polling, receive: Receive) -> Answer:
        gone = asyncio.create_task(_until_gone(receive))
        try:
            return await polling.get(gone)
        finally:
            gone.cancel()
            if session.is_closed:
                self._to_tell.discard(session)
                self._forget(session)

    async def _post(self, session: Session, polling: Polling, request: EngineRequest, receive: Receive) -> Answer:
        if not polling.begin_post():
            return Answer(400)
        try:
            if request.headers.get("content-type") == "application/octet-stream":
                session.close(at_once=True)
                return Answer(400)
            body = await self._body(receive)
            if body is None:
                limited.labels("payload").inc()
                return Answer(413)
            return await polling.post(body)
        except _ClientGone:
            session.close(at_once=True)
            raise
        finally:
            polling.end_post()

    def _give_up(self, session: Session) -> None:
        limited.labels("connect_time").inc()
        session.close(why=f"a client has to join within {self._settings.connect_timeout_ms / 1000:g} s")

    async def _body(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            body += message.get("body", b"")
            if len(body) > self._max_payload:
                return None
            if not message.get("more_body"):
                return bytes(body)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _environ(request: EngineRequest) -> dict[str, str]:
    """Return what python-engineio's rules of origins look at."""
    # A name with `_` would stand for the one with `-`, which proxies set and do not pass through.
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items() if "_" not in name
    }
    # What the proxy speaks to us is no origin of its own: a page of http://host is a stranger to https://host.
    scheme = request.headers.get("x-forwarded-proto", request.scheme)
    return {"REQUEST_METHOD": request.method, "wsgi.url_scheme": scheme, **headers}
