"""uvicorn as the emitter needs it."""

import contextlib
import functools
import socket
from collections.abc import Iterator
from typing import Any, cast

import uvicorn

from ws_service.engine.asgi import SocketApp
from ws_service.engine.engine import Engine
from ws_service.engine.http import EmitterConnections, EmitterProtocol, Endpoint
from ws_service.engine.websocket import WebSockets
from ws_service.listeners.listeners import Listeners
from ws_service.listeners.raw import RawSockets
from ws_service.settings import Settings


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process by the signal instead of with exit code 0."""

    def __init__(self, config: uvicorn.Config, engine: Engine, listeners: Listeners) -> None:
        super().__init__(config)
        self._engine = engine
        self._listeners = listeners

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what goes on for ever first: it would be waited for, and then be cancelled with a traceback."""
        self._engine.close_all()
        self._listeners.shutdown()
        await super().shutdown(sockets)


def create_server(settings: Settings, app: SocketApp) -> uvicorn.Server:
    """Return a server, not yet listening."""
    engine: Engine = app.engineio_server.eio
    listeners: Listeners = app.other_asgi_app.state.listeners
    path = settings.socket_path.rstrip("/")
    endpoints: dict[str, Endpoint] = {path: WebSockets(engine, settings), f"{path}/raw": RawSockets(listeners)}
    connections = EmitterConnections(settings, endpoints)
    return _Server(
        uvicorn.Config(
            app,
            # uvicorn calls what stands here, class or not, for each connection.
            http=cast("Any", functools.partial(EmitterProtocol, connections)),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # An internal call that hangs is not waited for longer than this.
            timeout_graceful_shutdown=3,
        ),
        engine,
        listeners,
    )
