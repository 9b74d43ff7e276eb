"""The websocket transport of Engine.IO: https://socket.io/docs/v4/engine-io-protocol/#websocket."""

import asyncio
import functools
from typing import Any, cast

from websockets.frames import CloseCode

from shared.metrics import limited
from shared.serving.deadlines import Deadlines
from ws_service.engine.engine import Engine
from ws_service.engine.frames import FrameProtocol, Limits
from ws_service.engine.http import Opener
from ws_service.engine.packets import PROBED, Packets
from ws_service.engine.polling import Polling
from ws_service.engine.requests import EngineRequest, Refused
from ws_service.engine.session import Session
from ws_service.settings import Settings


class WebSockets(Limits):
    """The Engine.IO websockets of an emitter."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(settings)
        self.engine = engine
        self.to_upgrade = Deadlines[WebSocket](settings.upgrade_timeout_ms / 1000, WebSocket.give_up)

    async def admit(self, request: EngineRequest) -> Opener:
        """Return what opens the websocket that is asked for, before anything else is awaited; raise Refused."""
        if self.engine.check(request) is None:
            return functools.partial(self._open, await self.engine.admit(request))
        await self.engine.permit_upgrade(request)
        # It may have ended meanwhile, or been offered another one.
        session = self.engine.check(request)
        if session is None or session.prober is not None:
            raise Refused(3, "Bad request")
        return functools.partial(self._probe, session)

    def _open(self, address: str, transport: asyncio.Transport, connections: set[Any]) -> FrameProtocol:
        websocket = WebSocket(self, transport, connections)
        websocket.open(address)
        return websocket

    def _probe(self, session: Session, transport: asyncio.Transport, connections: set[Any]) -> FrameProtocol:
        websocket = WebSocket(self, transport, connections)
        websocket.probe(session, cast(Polling, session.transport))
        return websocket


class WebSocket(FrameProtocol):
    """One connection: a session's transport, or one that has yet to take over from long-polling."""

    __slots__ = ("_polling", "_shared", "session")

    name = "websocket"

    def __init__(self, shared: WebSockets, transport: asyncio.Transport, connections: set[Any]) -> None:
        super().__init__(shared, transport, connections)
        self._shared = shared
        # The transport that this one wants to take over from.
        self._polling: Polling | None = None
        self.session: Session

    # What the session calls.

    def send(self, packets: Packets) -> None:
        """Write at once."""
        if packets.asks:
            self.allowance.expect(packets.asks)
        self.write(packets.frames)

    def close(self, *, at_once: bool = True, why: str = "") -> bool:  # noqa: ARG002  # it can always be told at once
        """Send a close frame and wait for the client's: without a code, as Engine.IO does, if there is no reason."""
        if not self._is_closing:
            self._shared.to_upgrade.discard(self)
            # No limit counts one that has not taken over.
            briefly = self._polling is not None
            self.begin_close(CloseCode.POLICY_VIOLATION if why else None, why, briefly=briefly)
            self._release()
        return False

    def give_up(self) -> None:
        """Hear that the client has not changed over in time."""
        limited.labels("upgrade_time").inc()
        self.close()

    # What begins it.

    def open(self, address: str) -> None:
        """Begin a session of its own, of a client that was admitted."""
        self.session, opened = self._shared.engine.open(self, address)
        self.send(opened)

    def probe(self, session: Session, polling: Polling) -> None:
        """Offer itself to a session that polls, and has been offered no other."""
        self.session, self._polling = session, polling
        session.prober = self
        self._shared.to_upgrade.add(self)

    # What the frames call.

    def receive(self, message: str | bytes) -> None:
        """Hand a packet to the session, or deal with it until there is one."""
        if self._polling is None:
            self.session.receive(message)
        else:
            self._change_over(self._polling, message)

    def filled(self) -> None:
        """Tell the session to hold on."""
        if self._polling is None:
            self.session.filled()

    def drained(self) -> None:
        """Tell the session to go on."""
        if self._polling is None:
            self.session.drained()

    def overflowed(self) -> None:
        """Tell the session that it ends."""
        self.session.overflowed()

    def leave(self) -> None:
        """End the session, unless it goes on without this transport."""
        if self._polling is None:
            self.session.close(at_once=True)
        self._release()

    # What asyncio and uvicorn call.

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more. asyncio calls this once, whatever has become of the session and of the handshake's end.

        The session may be offered another websocket from now on only: who offers one after the other has one.
        """
        self._shared.to_upgrade.discard(self)
        super().connection_lost(exc)
        if self._polling is None:
            self._shared.engine.admission.leave(self.session.address)
        elif self.session.prober is self:
            self.session.prober = None

    def shutdown(self) -> None:
        """Hear from uvicorn that the server ends. The session was told before."""
        self.close()
        self._transport.close()

    def _change_over(self, polling: Polling, packet: str | bytes) -> None:
        if packet == "2probe":
            self.send(PROBED)
            polling.release()
        elif isinstance(packet, str) and packet[:1] == "5":
            self._polling = None
            # It is the same client, and may answer here what it was asked there.
            self.allowance = polling.allowance
            self._shared.to_upgrade.discard(self)
            self.session.upgrade(self, polling.take_over())
        else:
            self.close()

    def _release(self) -> None:
        if self._polling is not None:
            self._polling.is_probed = False
