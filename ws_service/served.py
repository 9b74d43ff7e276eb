"""What is served beside the sockets, for pages and programs."""

import hashlib
from typing import NamedTuple, Self

from fastapi import Request, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from ws_service.engine.engine import Engine
from ws_service.engine.requests import EngineRequest

_HEADERS = {
    # Kept, but asked for again each time: after an upgrade no old module meets a new one.
    "Cache-Control": "no-cache",
    # Whose pages may read it is in the answer.
    "Vary": "Origin",
    "X-Content-Type-Options": "nosniff",
}

_conditions = StaticFiles()


class Served(NamedTuple):
    """A file."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        """Make one, with a tag of what is in it: an image may have been built with the same time for all its files."""
        return cls(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def answer(self, request: Request) -> Response:
        """Return the answer to a request: the file, or that it is what the caller has."""
        engine: Engine = request.app.state.sockets.server.eio
        response = Response(self.content, media_type=self.media_type, headers={"ETag": self.etag, **_HEADERS})
        if _conditions.is_not_modified(response.headers, request.headers):
            response = NotModifiedResponse(response.headers)
        response.headers.update({**_HEADERS, **dict(engine.cors_headers(EngineRequest.of_scope(request.scope)))})
        return response
