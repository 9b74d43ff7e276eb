"""uvicorn as the emitter needs it."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, cast

import socketio
import uvicorn

from ws_service.engine.websocket import HttpProtocol, WebSockets
from ws_service.settings import Settings


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process by the signal instead of with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def create_server(settings: Settings, app: socketio.ASGIApp) -> uvicorn.Server:
    """Return a server, not yet listening."""
    websockets = WebSockets(app.engineio_server.eio, settings)
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
            # A polling client would be waited for until its poll ends.
            timeout_graceful_shutdown=3,
        )
    )
