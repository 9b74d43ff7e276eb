"""uvicorn as the emitter needs it."""

import socket
from functools import partial

import uvicorn

from shared.serving.http.server import Server, configure
from ws_service.engine.asgi import SocketApp
from ws_service.engine.engine import Engine
from ws_service.engine.http import EmitterConnections, EmitterProtocol, Endpoint
from ws_service.engine.websocket import WebSockets
from ws_service.listeners.listeners import Listeners
from ws_service.listeners.raw import RawSockets
from ws_service.settings import Settings


class _Server(Server):
    """One that ends what would never end."""

    def __init__(self, config: uvicorn.Config, engine: Engine, listeners: Listeners) -> None:
        super().__init__(config)
        self._engine = engine
        self._listeners = listeners

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
    protocol = partial(EmitterProtocol, EmitterConnections(settings, endpoints))
    # An internal call that hangs is not waited for longer than this.
    return _Server(configure(app, protocol, timeout_graceful_shutdown=3), engine, listeners)
