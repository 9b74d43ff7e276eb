"""The engine's place among the HTTP calls: the socket path itself, and nothing below it."""

from typing import Any

import socketio
from starlette.types import ASGIApp, Receive, Scope, Send


class SocketApp(socketio.ASGIApp):  # type: ignore[misc]  # the library ships no types
    """python-socketio's application, which takes everything below the path: at `/`, that would be everything."""

    def __init__(self, server: Any, other_asgi_app: ASGIApp, path: str) -> None:
        super().__init__(server, other_asgi_app=other_asgi_app)
        self._path = path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request to whom it is for."""
        if scope["type"] == "http" and scope["path"].rstrip("/") == self._path:
            await self.engineio_server.handle_request(scope, receive, send)
        else:
            await self.other_asgi_app(scope, receive, send)
