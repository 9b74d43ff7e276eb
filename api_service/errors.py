"""The errors of the product API, beside those that any service has (`shared/serving/http/errors.py`).

HttpError
+-- Unauthorized         401  no token, or one that proves nothing
+-- Forbidden            403  the token does not permit it
+-- NotFound             404
+-- OffsetGone           410  the event log no longer reaches back to it
+-- StaleVersion         412  If-Match names a version that is not the newest
+-- WrongHost            421  it was called by a name that is not this machine's
+-- Invalid              422
|   +-- KeyReused        422  the idempotency key came with another body before
+-- EmitterRefused       422, or the emitter's own 4xx: it does not do it
+-- Unavailable          503
    +-- DatabaseUnavailable
    +-- EmitterDown

The errors of pymongo become ours in `database.py`; where one means something of its own, in the file whose call it is.
"""

from collections.abc import Sequence

from shared.identity.bearer import CHALLENGE
from shared.problems import FieldError
from shared.serving.http.errors import HttpError, Invalid, Unavailable


class Unauthorized(HttpError):
    """It is not known who calls."""

    status = 401

    def __init__(self, detail: str, challenge: str = "") -> None:
        headers = {"WWW-Authenticate": CHALLENGE + challenge}
        super().__init__(detail, [FieldError("Authorization", detail)], headers)


class Forbidden(HttpError):
    """Who calls may not do this."""

    status = 403

    def __init__(self, scope: str) -> None:
        detail = f"the token lacks the scope {scope}"
        headers = {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'}
        super().__init__(detail, [FieldError("Authorization", detail)], headers)


class NotFound(HttpError):
    """There is no such thing."""

    status = 404


class OffsetGone(HttpError):
    """The event log does not reach back to the offset: read the products anew."""

    status = 410


class StaleVersion(HttpError):
    """The product has changed since the version that If-Match names."""

    status = 412


class WrongHost(HttpError):
    """It was called by a name that is not this machine's own."""

    status = 421


class KeyReused(Invalid):
    """An idempotency key names one request only."""


class EmitterRefused(HttpError):
    """The emitter does not do what it is asked, and says why, with a status of its own."""

    status = 422

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), status: int = status) -> None:
        self.status = status
        super().__init__(detail, errors)


class DatabaseUnavailable(Unavailable):
    """MongoDB did not answer in time. Whether a write was stored is unknown: retry with an Idempotency-Key."""


class EmitterDown(Unavailable):
    """No emitter did what it was asked, as far as is known."""
