"""Small files that browsers are given again and again: from memory, and again only when they have changed."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

_MOST_KEPT = 200
# Said here, as systems have tables of their own, and a browser runs no script that is called something else.
_MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

_conditions = StaticFiles()


def kept_file(file: Path, request: Request, headers: Mapping[str, str]) -> Response:
    """Answer with a file, or with 304 where the caller has it already (RFC 9110, section 13.1.2)."""
    # In a thread it would take longer than it does.
    content, etag = _read(file, file.stat().st_mtime_ns)
    media_type = _MEDIA_TYPES.get(file.suffix, "text/plain")
    response = Response(content, media_type=media_type, headers={"ETag": etag, **headers})
    if _conditions.is_not_modified(response.headers, request.headers):
        return NotModifiedResponse(response.headers)
    return response


@lru_cache(_MOST_KEPT)
def _read(file: Path, _changed_at: int) -> tuple[bytes, str]:
    content = file.read_bytes()
    # Of what is in it: an image may have been built with the same time for all its files.
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
