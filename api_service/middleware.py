"""What is demanded of every request's body, whatever its path."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service.products.endpoints import BATCH_PATH
from shared.metrics import limited
from shared.problems import FieldError
from shared.serving.http.bodies import require_plain
from shared.serving.http.errors import BodyTooLarge

MAX_BODY_BYTES = 64 * 1024
MAX_BATCH_BODY_BYTES = 8 * 1024 * 1024


class BodyLimit:
    """Refuses a body that is compressed, or over the limit of its path.

    By what it declares, or else as soon as it has come too far.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_BATCH_BODY_BYTES if scope["path"] == BATCH_PATH else MAX_BODY_BYTES
        received = 0
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")

        async def limited() -> Message:
            nonlocal received
            require_plain(headers)
            if declared.isdecimal() and int(declared) > limit:
                raise _too_large(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, limited, send)


def _too_large(limit: int) -> BodyTooLarge:
    limited.labels("body").inc()
    message = f"at most {limit} bytes"
    return BodyTooLarge(f"the body is too large: {message}", [FieldError("body", message)])
