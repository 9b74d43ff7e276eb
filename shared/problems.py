"""RFC 9457 problem documents: the one form of every HTTP error."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

CONTENT_TYPE = "application/problem+json"


class FieldError(NamedTuple):
    """What is wrong with one field of a request, and how to put it right."""

    field: str
    message: str


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
