"""The errors of the emitter's HTTP calls, each answered with a problem document (RFC 9457).

CallError
+-- Unauthorized     401  the emitter secret, or a token, is missing or wrong
+-- BodyTooLarge     413
+-- Forbidden        403  the page that asks is not one of ours, or the token does not permit it
+-- Malformed        422  the body or the query breaks the contract
+-- UpgradeRequired  426  a websocket is spoken here
+-- TooManyRequests  429  this caller asks too often, or has enough
+-- Unavailable      503  what the call needs is not there now: try again
"""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from shared.identity.bearer import CHALLENGE
from shared.problems import CONTENT_TYPE, FieldError, Problem, field_errors, problem, summary
from shared.serving.http.headers import error_headers


class Refusal(TypedDict):
    """How a socket's request is answered that was not carried out."""

    error: Problem


class CallError(HTTPException):
    """A call that was not carried out."""

    status = 500

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), headers: dict[str, str] | None = None) -> None:
        super().__init__(self.status, detail, headers)
        self.errors = errors


class Unauthorized(CallError):
    """It is not known who calls."""

    status = 401

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, errors, {"WWW-Authenticate": CHALLENGE})


class BodyTooLarge(CallError):
    """The body is over the limit."""

    status = 413


class Forbidden(CallError):
    """A page of this origin may not listen, or its user may not do this."""

    status = 403


class Malformed(CallError):
    """The body, or the query, is not what the contract says."""

    status = 422


class UpgradeRequired(CallError):
    """This is spoken over a websocket alone."""

    status = 426


class TooManyRequests(CallError):
    """A limit for each caller is reached."""

    status = 429

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class Unavailable(CallError):
    """Something that the call needs does not answer."""

    status = 503

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "1", **(headers or {})})


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  # as registered below
        fields = error.errors if isinstance(error, CallError) else ()
        body = problem(error.status_code, error.detail, fields)
        return JSONResponse(body, error.status_code, error_headers(error, request), CONTENT_TYPE)

    async def on_validation_error(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # as registered below
        # FastAPI puts the part of the request first; a caller knows its own request.
        fields = field_errors({**each, "loc": each["loc"][1:]} for each in error.errors())
        return JSONResponse(problem(Malformed.status, summary(fields), fields), Malformed.status, None, CONTENT_TYPE)

    async def on_bug(_request: Request, _error: Exception) -> JSONResponse:
        # The server logs the traceback; the caller learns nothing of our insides.
        return JSONResponse(problem(500, "this is a fault of ours, and it is logged"), 500, media_type=CONTENT_TYPE)

    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_bug)
