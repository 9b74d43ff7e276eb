"""Small things that browsers are given again and again: from memory, and again only when they have changed."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

_MOST_KEPT = 200
# Said here, as systems have tables of their own, and a browser runs no script that is called something else.
_MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

_conditions = StaticFiles()


class Kept(NamedTuple):
    """What is kept in memory, as it is sent."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        """Keep it, with a tag of what is in it: an image may have been built with the same time for all its files."""
        return cls(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def answer(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Return the answer: what is kept, or 304 where the caller has it already (RFC 9110, section 13.1.2)."""
        response = Response(self.content, media_type=self.media_type, headers={"ETag": self.etag, **headers})
        if _conditions.is_not_modified(response.headers, request.headers):
            response = NotModifiedResponse(response.headers)
            # Starlette passes on those of caches alone; whose page may read it, and its policy, go with a 304, too.
            response.headers.update(headers)
        return response


def kept_file(file: Path) -> Kept:
    """Return a file, read again where it has changed. In a thread it would take longer than it does."""
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(_MOST_KEPT)
def _read(file: Path, _changed_at: int) -> Kept:
    return Kept.of(file.read_bytes(), _MEDIA_TYPES.get(file.suffix, "text/plain"))
