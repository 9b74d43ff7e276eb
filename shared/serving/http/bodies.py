"""What both services demand of a body before they read it."""

from collections.abc import Mapping

from shared.problems import FieldError
from shared.serving.http.errors import WrongMediaType


def require_plain(headers: Mapping[str, str]) -> None:
    """Refuse a body that is compressed: limits are of what comes, and nobody unpacks what that may become."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        message = "send the body as it is, without Content-Encoding"
        # RFC 9110, section 15.5.16: which would be taken.
        raise WrongMediaType(message, [FieldError("Content-Encoding", message)], {"Accept-Encoding": "identity"})
