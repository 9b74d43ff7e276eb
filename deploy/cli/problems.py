"""What is wrong by a problem document (RFC 9457), one line for each field. Pure."""

import json
from http import HTTPStatus
from typing import Any

from deploy.cli.errors import CommandError, Refused, Unavailable

_LATER = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""What a service, or the gateway before it, answers while it cannot. Anything else is for good."""

_LONGEST_WAIT_S = 60


def error_of(status: int, body: bytes | str, retry_after: str | None = None) -> CommandError:
    """Return what an answer that is no success means, whoever gave it: the gateway knows no problem documents."""
    lines = problem_lines(status, _read(body))
    return Unavailable(*lines, retry_after_s=_seconds(retry_after)) if status in _LATER else Refused(*lines)


def problem_lines(status: int, problem: dict[str, Any]) -> list[str]:
    """Return a line for each field that a problem document names, or for the whole."""
    fields = [f"{error['field']}: {error['message']}" for error in problem.get("errors", [])]
    return fields or [problem.get("detail") or f"the answer was {status} {_phrase(status)}"]


def is_later(status: int) -> bool:
    """Tell whether the same may work in a moment."""
    return status in _LATER


def _read(body: bytes | str) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(retry_after: str | None) -> float:
    # The other form is a date: that is for those who plan.
    return min(int(retry_after), _LONGEST_WAIT_S) if retry_after and retry_after.isdecimal() else 0


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
