"""Answers that are given before any application is asked: to what is not to be read, or not now."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson

from shared.problems import CONTENT_TYPE, problem


class Refusal(NamedTuple):
    """A problem document, after which the connection ends. It is an ASGI application, too."""

    status: int
    detail: str
    retry_after_s: int | None = None

    @property
    def body(self) -> bytes:
        """The document."""
        return orjson.dumps(problem(self.status, self.detail))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What goes before it."""
        headers = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", b"%d" % len(self.body)),
            (b"connection", b"close"),
        ]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % self.retry_after_s))
        return headers

    async def __call__(self, _scope: Any, _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Answer a request with it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
