"""python-socketio's server with what Storecast needs of it and it does not offer.

Private seams, of python-socketio 5.18 and python-engineio 4.15 (bounded in pyproject.toml, held by
tests/integration/test_engine.py):
- `AsyncServer._send_packet`, through which the CONNECT answer goes out: it gets a `pid`, by which the stock JavaScript
  client recovers (https://socket.io/docs/v4/connection-state-recovery);
- `AsyncServer._handle_connect`, which returns once the CONNECT answer is on its way and the socket can be sent to;
- `AsyncServer.environ`, which holds a key for each Engine.IO session that is still open;
- `AsyncSocket.send`, `queue` and `close` of python-engineio: to queue a packet, to wait for a transport, to close it;
- `Packet` of both, whose encoding is kept by the packet itself.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

import socketio
from engineio.async_socket import AsyncSocket
from engineio.exceptions import SocketIsClosedError
from socketio import packet

from shared.events import Event
from ws_service.engine import json
from ws_service.engine.frames import Frames
from ws_service.settings import Settings


class ConnectionHooks(Protocol):
    """What the server asks about a socket that connects."""

    def pid_of(self, sid: str) -> str:
        """Return the private session id that the CONNECT answer carries."""

    def connected(self, sid: str) -> None:
        """The CONNECT answer was sent: from now on the socket can be sent to."""


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # the library ships no types
    """The Socket.IO server of the emitter, on the one namespace `/`."""

    def __init__(self, settings: Settings, hooks: ConnectionHooks) -> None:
        super().__init__(
            async_mode="asgi",
            cors_allowed_origins=list(settings.allowed_origins) or None,
            ping_interval=settings.ping_interval_ms / 1000,
            ping_timeout=settings.ping_timeout_ms / 1000,
            max_http_buffer_size=settings.max_payload_bytes,
            json=json,
        )
        self._hooks = hooks
        self._frames = Frames()

    async def send(self, sid: str, event: str, *arguments: Any) -> None:
        """Queue an event for one socket; a socket that is gone is passed over."""
        await self.emit(event, arguments, to=sid)

    async def send_numbered(self, sid: str, events: Iterable[tuple[Event, str]]) -> None:
        """Queue events with their offsets for one socket; a socket that is gone is passed over.

        Each is encoded once for all sockets. `emit` encodes for each socket, and makes a task for each packet.
        """
        if socket := self._socket(sid):
            # Closed under us: whoever closed it ends the writer, too.
            with suppress(SocketIsClosedError):
                for event, offset in events:
                    await socket.send(self._frames.of(event, offset))

    async def drained(self, sid: str) -> None:
        """Wait until the socket's transport has taken what was queued."""
        if socket := self._socket(sid):
            await socket.queue.join()

    async def close_transport(self, sid: str) -> None:
        """Drop a socket so that its client comes back by itself.

        The stock client does not reconnect after a Socket.IO disconnect packet, only after its transport closed.
        """
        if socket := self._socket(sid):
            await socket.close(wait=False, abort=True)
            # Ends the writer of a websocket, which closes it, or the pending poll.
            await socket.queue.put(None)

    def _socket(self, sid: str) -> AsyncSocket | None:
        return self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, "/"))

    async def _send_packet(self, eio_sid: str, pkt: packet.Packet) -> None:
        if pkt.packet_type == packet.CONNECT:
            pkt.data["pid"] = self._hooks.pid_of(pkt.data["sid"])
        await super()._send_packet(eio_sid, pkt)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace or "/")
        if sid is None or not self.manager.is_connected(sid, namespace or "/"):
            return
        if eio_sid not in self.environ:
            # It went while the handler was at work, when the library did not yet take it for connected.
            await self._handle_disconnect(eio_sid, namespace, self.reason.TRANSPORT_CLOSE)
            return
        self._hooks.connected(sid)
