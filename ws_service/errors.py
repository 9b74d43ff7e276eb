"""The errors of the emitter's HTTP calls, beside those that any service has (`shared/serving/http/errors.py`).

HttpError
+-- Unauthorized     401  the emitter secret, or a token, is missing or wrong
+-- Forbidden        403  the page that asks is not one of ours, or the token does not permit it
+-- UpgradeRequired  426  a websocket is spoken here
"""

from collections.abc import Sequence

from typing_extensions import TypedDict

from shared.identity.bearer import CHALLENGE
from shared.problems import FieldError, Problem
from shared.serving.http.errors import HttpError


class Refusal(TypedDict):
    """How a socket's request is answered that was not carried out."""

    error: Problem


class Unauthorized(HttpError):
    """It is not known who calls."""

    status = 401

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, errors, {"WWW-Authenticate": CHALLENGE})


class Forbidden(HttpError):
    """A page of this origin may not listen, or its user may not do this."""

    status = 403


class UpgradeRequired(HttpError):
    """This is spoken over a websocket alone."""

    status = 426
