"""uvicorn as the product API needs it."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from api_service.settings import Settings
from shared.http.connections import Connections
from shared.http.protocol import HttpProtocol


class _Server(uvicorn.Server):
    """uvicorn without its signal handling.

    It would raise the signal again once the sockets are closed, and end the process before the lease is released.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def create_server(settings: Settings, app: FastAPI) -> uvicorn.Server:
    """Return a server, not yet listening."""
    connections = Connections(settings.max_connections, settings.request_timeout_ms / 1000)
    return _Server(
        uvicorn.Config(
            app,
            # uvicorn calls what stands here, class or not, for each connection.
            http=cast("Any", functools.partial(HttpProtocol, connections)),
            ws="none",
            lifespan="off",  # it is entered by who can tell the operator of its errors in one line
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("X-Served-By", settings.instance)],
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )
