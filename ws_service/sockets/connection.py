"""One Socket.IO client: where it began, and the task that writes to it."""

import asyncio

import structlog

from ws_service import metrics
from ws_service.engine.server import SocketServer
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import FellBehind, Subscription
from ws_service.sockets.recovery import Start

_log = structlog.get_logger(__name__)


class Connection:
    """A connected socket. Only its writer sends it numbered events, so that they keep their order."""

    def __init__(self, sid: str, start: Start, subscription: Subscription, missed: int) -> None:
        self.sid = sid
        self.start = start
        self.subscription = subscription
        self.missed = missed
        self._writer: asyncio.Task[None] | None = None

    def begin(self, server: SocketServer, hub: Hub, node: str) -> None:
        """Start writing; a second CONNECT of the same client changes nothing."""
        if self._writer is None:
            self._writer = asyncio.create_task(_Writer(self, server, hub, node).run(), name=f"writer of {self.sid}")

    def end(self) -> None:
        """Stop writing: the socket is gone."""
        self.subscription.end()
        # A writer that closes its own socket must not be stopped half-way.
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()


class _Writer:
    def __init__(self, connection: Connection, server: SocketServer, hub: Hub, node: str) -> None:
        self._connection = connection
        self._subscription = connection.subscription
        self._server = server
        self._hub = hub
        self._node = node

    async def run(self) -> None:
        sid = self._connection.sid
        try:
            await self._greet()
            await self._deliver()
        except FellBehind:
            metrics.cut_off.inc()
            _log.info("a socket has fallen behind the history; it is closed and comes back", sid=sid)
            await self._server.close_transport(sid)
        except Exception:  # noqa: BLE001  # logged, and the client recovers
            _log.exception("a writer failed; its socket is closed and comes back", sid=sid)
            await self._server.close_transport(sid)

    async def _greet(self) -> None:
        await self._welcome(recovered=self._connection.start.recovered, replayed=self._connection.missed)
        if not self._subscription.begun:
            await self._hub.opened()
            # What was committed meanwhile came as history: this welcome says to read the products anew.
            await self._welcome(recovered=False, replayed=0)

    async def _welcome(self, *, recovered: bool, replayed: int) -> None:
        position = self._hub.position
        welcome = {
            "node": self._node,
            "position": str(position) if position else None,
            "recovered": recovered,
            "replayed": replayed,
        }
        await self._server.send(self._connection.sid, "welcome", welcome)

    async def _deliver(self) -> None:
        sid = self._connection.sid
        while True:
            part = self._subscription.next_part(self._hub.history)
            await self._server.send_numbered(sid, part)
            metrics.deliveries.inc(len(part))
            # At most one part waits in the transport's queue: a slow reader costs no memory, the history is shared.
            await (self._server.drained(sid) if part else self._subscription.woken())
