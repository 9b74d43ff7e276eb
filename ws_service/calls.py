"""What every internal call demands, before its body is read: a secret or a token, then a bounded body."""

import hmac
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from shared.identity.bearer import bearer_token
from shared.identity.errors import BadToken, KeysAway
from shared.identity.identity import ANYONE, OPERATE
from shared.identity.tokens import Tokens
from shared.metrics import limited
from shared.openapi import BEARER
from shared.problems import invalid_fields
from shared.serving.http.bodies import require_plain
from shared.serving.http.errors import BodyTooLarge, Invalid, Unavailable
from ws_service.errors import Forbidden, Unauthorized
from ws_service.settings import Settings

# Room for a full batch of the relay, whose events are at most 1 MiB each and together.
MAX_BODY_BYTES = 8 * 1024 * 1024

Authorization = Annotated[str, Header(include_in_schema=False)]

# For the documentation alone.
_BEARER = Security(HTTPBearer(auto_error=False, scheme_name=BEARER, description="the emitter secret, or a token"))


# Coroutines, although the first does not wait: a plain function would be sent to a thread, for every request.
async def require_secret(request: Request, authorization: Authorization = "") -> None:
    """Let only those through who know the emitter secret (RFC 6750, section 2.1)."""
    if not _knows_secret(request.app.state.settings, authorization):
        message = "send the emitter secret: Authorization: Bearer <STORECAST_EMITTER_SECRET>"
        raise Unauthorized(message)


async def require_operator(request: Request, authorization: Authorization = "") -> None:
    """Let those through who know the emitter secret, or have a token with the scope `operate`."""
    if _knows_secret(request.app.state.settings, authorization):
        return
    tokens: Tokens = request.app.state.tokens
    try:
        who = await tokens.identify(bearer_token(authorization or None))
    except BadToken:
        who = ANYONE
    except KeysAway as error:
        raise Unavailable(str(error)) from None
    # Without tokens everybody is trusted, and still nobody ends an emitter who does not know its secret.
    if OPERATE not in who.scopes:
        message = f"send the emitter secret, or a token with the scope {OPERATE}: Authorization: Bearer ..."
        raise Forbidden(message) if who.subject else Unauthorized(message)


def _knows_secret(settings: Settings, authorization: str) -> bool:
    known = (settings.emitter_secret, settings.emitter_secret_previous)
    expected = [f"Bearer {secret.get_secret_value()}" for secret in known if secret.get_secret_value()]
    # In constant time: how long a refusal takes tells nothing about the secret. Bytes, because text must be ASCII.
    found = [hmac.compare_digest(authorization.encode(), each.encode()) for each in expected]
    return any(found)


async def bounded_body(request: Request) -> bytes:
    """Read the body, and stop where it becomes too large. One that is compressed is refused."""
    require_plain(request.headers)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                limited.labels("body").inc()
                raise BodyTooLarge(f"at most {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise Invalid("the caller went away in the middle of the body") from None
    return bytes(body)


SERVICES = [_BEARER, Depends(require_secret)]
"""What the calls of the API replicas depend on."""

OPERATORS = [_BEARER, Depends(require_operator)]
"""What the calls of operators depend on."""

Model = TypeVar("Model", bound=BaseModel)
Body = Annotated[bytes, Depends(bounded_body)]


def parse(model: type[Model], body: bytes) -> Model:
    """Read a JSON body; raise Invalid that names the field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Invalid.fields(invalid_fields(error)) from None
