"""What happens to every HTTP request: it has an id, is measured, and is told about in the log.

Plain ASGI 3, so that both services can use it: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import structlog

from shared import metrics

REQUEST_ID_HEADER = "X-Request-ID"

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

_HEADER = REQUEST_ID_HEADER.lower().encode()
# It goes into every line of the log: nothing that could break one, imitate another or fill the disk.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = structlog.get_logger(__name__)


class Requests:
    """Measures and names each request.

    With `binds_id` the id stands in every line that the request causes. Only where nothing outlives a request: what
    is scheduled in one keeps its id.
    """

    def __init__(self, app: _App, *, binds_id: bool) -> None:
        self._app = app
        self._binds_id = binds_id

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        if self._binds_id:
            # It is not taken back: the server logs a fault of ours after it has left here. Each request is a task with
            # a context of its own.
            structlog.contextvars.bind_contextvars(request_id=answer.request_id)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            answer.begun(500)  # a fault of ours, answered only after it has left here
            raise


class _Answer:
    """One request on its way."""

    def __init__(self, scope: _Message, send: _Send) -> None:
        self.request_id = _request_id(scope["headers"])
        self._scope = scope
        self._send = send
        self._start = time.perf_counter()
        self._has_begun = False

    async def send(self, message: _Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (_HEADER, self.request_id.encode())]
            self.begun(message["status"])
        await self._send(message)

    def begun(self, status: int) -> None:
        """Count it, once: by its route and never by its path, which can be anything."""
        if self._has_begun:
            return
        self._has_begun = True
        seconds = time.perf_counter() - self._start
        route = getattr(self._scope.get("route"), "path", "none")
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        metrics.requests.labels(method, route, status).inc()
        metrics.request_seconds.labels(method, route).observe(seconds)
        # Not with the level that services run with: at each request of each client it drowns what matters.
        _log.debug(
            "answered",
            request_id=self.request_id,
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
        )


def request_id_headers() -> dict[str, str]:
    """Return the header that hands this request's id on to another service, or back to who asked."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {REQUEST_ID_HEADER: request_id} if request_id else {}


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    given = next((value for name, value in headers if name.lower() == _HEADER), b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
