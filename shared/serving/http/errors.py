"""The errors that any service answers with, and the one place that turns any error into a problem document (RFC 9457).

HttpError
+-- BadRequest           400  not JSON at all
+-- BodyTooLarge         413
+-- WrongMediaType       415
+-- Invalid              422  a field breaks its rule
+-- TooManyRequests      429  with Retry-After
+-- Unavailable          503  with Retry-After

Those of one service alone stand in its own `errors.py`.
"""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.problems import CONTENT_TYPE, FieldError, Problem, field_errors, problem, summary
from shared.serving.http.headers import error_headers
from shared.serving.requests import request_id_headers

_SEND_JSON = "send JSON in UTF-8, without huge numbers and without deep nesting"


class HttpError(HTTPException):
    """An answer that is not a success.

    It is an HTTPException so that FastAPI lets it through unchanged while it reads a body.
    """

    status = 500

    def __init__(
        self, detail: str, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(self.status, detail, headers)
        self.errors = errors

    def problem(self) -> Problem:
        """Return the problem document."""
        return problem(self.status, self.detail, self.errors)


class BadRequest(HttpError):
    """The request cannot be read."""

    status = 400


class BodyTooLarge(HttpError):
    """The body is over the limit of its path."""

    status = 413


class WrongMediaType(HttpError):
    """The body is not declared as JSON, or it is compressed."""

    status = 415


class Invalid(HttpError):
    """One or more fields break their rules."""

    status = 422

    @classmethod
    def field(cls, name: str, message: str) -> "Invalid":
        """Return the error of one field."""
        return cls(f"{name}: {message}", [FieldError(name, message)])

    @classmethod
    def fields(cls, errors: Sequence[FieldError]) -> "Invalid":
        """Return the error of several."""
        return cls(summary(errors), errors)


class TooManyRequests(HttpError):
    """This caller asks too often, or has enough."""

    status = 429

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class Unavailable(HttpError):
    """What the request needs is not there now: try again."""

    status = 503

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "1", **(headers or {})})


def add_error_handlers(app: FastAPI, headers: Mapping[str, str] | None = None) -> None:
    """Answer every error of `app` with a problem document.

    Args:
        app: The application.
        headers: What the answer to a fault of ours is given: it is made outside of what gives all others theirs.
    """

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  # as registered below
        return JSONResponse(_problem(error), error.status_code, error_headers(error, request), CONTENT_TYPE)

    async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # as registered below
        return await on_http_error(request, _from_validation(error))

    async def on_bug(_request: Request, _error: Exception) -> JSONResponse:
        # The server logs the traceback; the caller learns nothing of our insides.
        body = problem(500, "this is a fault of ours, and it is logged")
        return JSONResponse(body, 500, {**(headers or {}), **request_id_headers()}, CONTENT_TYPE)

    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_bug)


def _problem(error: HTTPException) -> Problem:
    if isinstance(error, HttpError):
        return error.problem()
    # FastAPI's own word on a body that it could not even decode.
    unreadable = [FieldError("body", _SEND_JSON)] if error.status_code == BadRequest.status else []
    return problem(error.status_code, error.detail, unreadable)


def _from_validation(error: RequestValidationError) -> HttpError:
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return BadRequest("the body is not valid JSON", [FieldError("body", str(errors[0]["ctx"]["error"]))])
    # FastAPI puts the part of the request first; a caller knows its own request.
    return Invalid.fields(field_errors({**each, "loc": each["loc"][1:]} for each in errors))
