"""RFC 9457 problem documents: the one form of every HTTP error."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

CONTENT_TYPE = "application/problem+json"


class FieldError(NamedTuple):
    """What is wrong with one field of a request, and how to put it right."""

    field: str
    message: str


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Translate what pydantic, or FastAPI with its help, found wrong."""
    return [FieldError(_name(error["loc"]), error["msg"].removeprefix("Value error, ")) for error in errors]


def _name(location: tuple[str | int, ...]) -> str:
    # FastAPI puts the part of the request first; a caller knows its own request.
    parts = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    return ".".join(str(part) for part in parts) or "body"


def problem(status: int, detail: str, errors: Sequence[FieldError] = ()) -> dict[str, Any]:
    """Build the body of an error answer; `errors` names the fields (RFC 9457, section 3)."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [error._asdict() for error in errors]
    return body
