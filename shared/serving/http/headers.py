"""Headers that both services' errors have."""

import re
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request


def error_headers(error: HTTPException, request: Request) -> dict[str, str]:
    """Return the headers of an error's answer.

    Of a wrong method `Allow` names the right ones (RFC 9110, section 10.2.1): Starlette knows those of one route only.
    """
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        known: dict[str, Any] = request.app.openapi()["paths"]
        path = request.url.path
        # A path as it stands comes before one with a variable in it.
        if found := known.get(path) or next((known[each] for each in known if _matches(each, path)), None):
            headers["Allow"] = ", ".join(sorted(method.upper() for method in found))
    return headers


def _matches(template: str, path: str) -> bool:
    pattern = "[^/]+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", template))
    return re.fullmatch(pattern, path) is not None
