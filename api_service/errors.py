"""The errors of the product API, and the one place that turns any error into a problem document (RFC 9457).

ApiError
+-- BadRequest           400  not JSON at all
+-- Unauthorized         401  no token, or one that proves nothing
+-- Forbidden            403  the token does not permit it
+-- NotFound             404
+-- OffsetGone           410  the event log no longer reaches back to it
+-- StaleVersion         412  If-Match names a version that is not the newest
+-- BodyTooLarge         413
+-- WrongMediaType       415
+-- Invalid              422  a field breaks its rule
|   +-- KeyReused        422  the idempotency key came with another body before
+-- EmitterRefused       422, or the emitter's own 4xx: it does not take a message
+-- TooManyRequests      429  with Retry-After
+-- Unavailable          503  with Retry-After
    +-- DatabaseUnavailable
    +-- EmitterDown

The errors of pymongo become ours in `database.py`, and nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api_service.browsers import SAFE_HEADERS
from shared.identity.bearer import CHALLENGE
from shared.problems import CONTENT_TYPE, FieldError, Problem, field_errors, problem, summary
from shared.serving.http.headers import error_headers
from shared.serving.requests import request_id_headers


class ApiError(HTTPException):
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


class BadRequest(ApiError):
    """The request cannot be read."""

    status = 400


class Unauthorized(ApiError):
    """It is not known who calls."""

    status = 401

    def __init__(self, detail: str, challenge: str = "") -> None:
        headers = {"WWW-Authenticate": CHALLENGE + challenge}
        super().__init__(detail, [FieldError("Authorization", detail)], headers)


class Forbidden(ApiError):
    """Who calls may not do this."""

    status = 403

    def __init__(self, scope: str) -> None:
        detail = f"the token lacks the scope {scope}"
        headers = {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'}
        super().__init__(detail, [FieldError("Authorization", detail)], headers)


class NotFound(ApiError):
    """There is no such thing."""

    status = 404


class OffsetGone(ApiError):
    """The event log does not reach back to the offset: read the products anew."""

    status = 410


class StaleVersion(ApiError):
    """The product has changed since the version that If-Match names."""

    status = 412


class BodyTooLarge(ApiError):
    """The body is over the limit of its path."""

    status = 413


class WrongMediaType(ApiError):
    """The body is not declared as JSON."""

    status = 415


class Invalid(ApiError):
    """One or more fields break their rules."""

    status = 422

    @classmethod
    def field(cls, name: str, message: str) -> "Invalid":
        """Return the error of one field."""
        return cls(f"{name}: {message}", [FieldError(name, message)])

    @classmethod
    def fields(cls, errors: Iterable[Mapping[str, Any]]) -> "Invalid":
        """Translate what pydantic found."""
        found = field_errors(errors)
        return cls(summary(found), found)


class KeyReused(Invalid):
    """An idempotency key names one request only."""


class EmitterRefused(ApiError):
    """The emitter does not take a message, and says why, with a status of its own."""

    status = 422

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), status: int = status) -> None:
        self.status = status
        super().__init__(detail, errors)


class TooManyRequests(ApiError):
    """This caller asks too often."""

    status = 429

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class Unavailable(ApiError):
    """What the request needs is not there now."""

    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class DatabaseUnavailable(Unavailable):
    """MongoDB did not answer in time. Whether a write was stored is unknown: retry with an Idempotency-Key."""


class EmitterDown(Unavailable):
    """No emitter carried a message out, as far as is known."""


_SEND_JSON = "send JSON in UTF-8, without huge numbers and without deep nesting"


def _from_request_validation(error: RequestValidationError) -> ApiError:
    errors = error.errors()
    if any(each["type"] == "json_invalid" for each in errors):
        return BadRequest("the body is not valid JSON", [FieldError("body", str(errors[0]["ctx"]["error"]))])
    # FastAPI puts the part of the request first; a caller knows its own request.
    return Invalid.fields({**each, "loc": each["loc"][1:]} for each in errors)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""

    async def on_api_error(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)  # noqa: S101  # as registered below
        return JSONResponse(error.problem(), error.status, error.headers, CONTENT_TYPE)

    async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # as registered below
        return await on_api_error(request, _from_request_validation(error))

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  # as registered below
        # FastAPI's own word on a body that it could not even decode.
        unreadable = [FieldError("body", _SEND_JSON)] if error.status_code == BadRequest.status else []
        body = problem(error.status_code, error.detail, unreadable)
        return JSONResponse(body, error.status_code, error_headers(error, request), CONTENT_TYPE)

    async def on_bug(_request: Request, _error: Exception) -> JSONResponse:
        # The server logs the traceback; the caller learns nothing of our insides.
        body = problem(500, "this is a fault of ours, and it is logged")
        # It is made outside of what gives all other answers their id.
        return JSONResponse(body, 500, {**SAFE_HEADERS, **request_id_headers()}, CONTENT_TYPE)

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_bug)
