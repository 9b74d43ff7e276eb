"""uvicorn as the product API needs it."""

from functools import partial

import uvicorn
from fastapi import FastAPI

from api_service.settings import Settings
from shared.serving.http.connections import Connections
from shared.serving.http.protocol import HttpProtocol
from shared.serving.http.server import Server, configure


def create_server(settings: Settings, app: FastAPI) -> uvicorn.Server:
    """Return a server, not yet listening."""
    connections = Connections(settings.max_connections, settings.request_timeout_ms / 1000)
    headers = [("X-Served-By", settings.instance)]
    protocol = partial(HttpProtocol, connections)
    return Server(configure(app, protocol, ws="none", headers=headers, timeout_graceful_shutdown=5))
