"""uvicorn as the emitter needs it."""

import contextlib
import functools
import socket
from collections.abc import Iterator
from typing import Any, cast

import socketio
import uvicorn

from ws_service.engine.engine import Engine
from ws_service.engine.websocket import HttpProtocol, WebSockets
from ws_service.settings import Settings


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process by the signal instead of with exit code 0."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the sessions first: a poll would be waited for, and then be cancelled with a traceback."""
        self._engine.close_all()
        await super().shutdown(sockets)


def create_server(settings: Settings, app: socketio.ASGIApp) -> uvicorn.Server:
    """Return a server, not yet listening."""
    engine = app.engineio_server.eio
    websockets = WebSockets(engine, settings)
    return _Server(
        uvicorn.Config(
            app,
            # uvicorn calls what stands here, class or not, for each connection.
            http=cast("Any", functools.partial(HttpProtocol, websockets, settings.socket_path)),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # An internal call that hangs is not waited for longer than this.
            timeout_graceful_shutdown=3,
        ),
        engine,
    )
