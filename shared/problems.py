"""RFC 9457 problem documents: the one form of every HTTP error."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple, NotRequired

from pydantic import ValidationError
from typing_extensions import TypedDict

CONTENT_TYPE = "application/problem+json"
MAX_FIELDS = 20


class WrongField(TypedDict):
    """What is wrong with one field of a request, and how to put it right."""

    field: str
    message: str


class Problem(TypedDict):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[WrongField]]


class FieldError(NamedTuple):
    """What is wrong with one field of a request, and how to put it right."""

    field: str
    message: str


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Translate what pydantic found wrong: the first 20 of it, so that the answer to a few bytes is never huge."""
    return [
        FieldError(".".join(map(str, error["loc"])) or "body", error["msg"].removeprefix("Value error, "))
        for error in islice(errors, MAX_FIELDS)
    ]


def invalid_fields(error: ValidationError) -> list[FieldError]:
    """Return what pydantic found wrong, without what was given: it may be a secret."""
    return field_errors(error.errors(include_url=False, include_input=False, include_context=False))


def summary(errors: Iterable[FieldError]) -> str:
    """Say in one line what is wrong with which field."""
    return "; ".join(f"{field}: {message}" for field, message in errors)


def problem(status: int, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """Build the body of an error answer; `errors` names the fields (RFC 9457, section 3)."""
    body: Problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    return body
