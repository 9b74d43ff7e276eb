import json

import pytest

from deploy.cli.errors import Refused, Unavailable
from deploy.cli.problems import error_of
from shared.problems import FieldError, problem


def test_each_field_is_a_line() -> None:
    """A person sees at once all that has to be put right."""
    body = problem(422, "two things", [FieldError("price", "is missing"), FieldError("name", "is too long")])
    error = error_of(422, json.dumps(body).encode())
    assert isinstance(error, Refused)
    assert error.lines == ("price: is missing", "name: is too long")


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (
            403,
            json.dumps(problem(403, "the token lacks the scope products:write")),
            "the token lacks the scope products:write",
        ),
        (404, "<html>no such page</html>", "the answer was 404 Not Found"),
        (499, "[1]", "the answer was 499 "),
        (308, "", "the answer was 308 Permanent Redirect"),
    ],
)
def test_what_is_no_problem_document_is_a_line_as_well(status: int, body: str, line: str) -> None:
    """A gateway answers with a page of its own, another service with whatever it likes."""
    error = error_of(status, body)
    assert isinstance(error, Refused)
    assert (error.lines, error.exit_code) == ((line,), 1)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(None, 0), ("3", 3), ("99999", 60), ("Sat, 21 Nov 2026 10:00:00 GMT", 0)]
)
def test_what_may_pass_is_worth_another_try(status: int, retry_after: str | None, seconds: float) -> None:
    """When the service says, but not next week."""
    error = error_of(status, b"", retry_after)
    assert isinstance(error, Unavailable)
    assert (error.retry_after_s, error.exit_code) == (seconds, 3)
