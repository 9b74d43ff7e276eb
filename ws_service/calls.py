"""What every internal call demands, before its body is read: the emitter secret, then a bounded body."""

import hmac
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from shared.problems import invalid_fields, summary
from ws_service.errors import BodyTooLarge, Malformed, Unauthorized
from ws_service.settings import Settings

# Room for a full batch of the relay, whose events are at most 1 MiB each and together.
MAX_BODY_BYTES = 8 * 1024 * 1024


# A coroutine, although it does not wait: a plain function would be sent to a thread, for every request.
async def require_secret(request: Request, authorization: Annotated[str, Header()] = "") -> None:
    """Let only those through who know the emitter secret (RFC 6750, section 2.1)."""
    settings: Settings = request.app.state.settings
    expected = f"Bearer {settings.emitter_secret.get_secret_value()}"
    # In constant time: how long a refusal takes tells nothing about the secret. Bytes, because text must be ASCII.
    if not hmac.compare_digest(authorization.encode(), expected.encode()):
        message = "send the emitter secret: Authorization: Bearer <STORECAST_EMITTER_SECRET>"
        raise Unauthorized(message, headers={"WWW-Authenticate": "Bearer"})


async def bounded_body(request: Request) -> bytes:
    """Read the body, and stop where it becomes too large."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BodyTooLarge(f"at most {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise Malformed("the caller went away in the middle of the body") from None
    return bytes(body)


Model = TypeVar("Model", bound=BaseModel)
Body = Annotated[bytes, Depends(bounded_body)]


def parse(model: type[Model], body: bytes) -> Model:
    """Read a JSON body; raise Malformed that names the field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        errors = invalid_fields(error)
        raise Malformed(summary(errors), errors) from None
