"""Makes a token, for trying things out: in earnest an identity provider does."""

import time
from collections.abc import Sequence

import jwt

from shared.errors import StartupError
from shared.identity.keys import MIN_SECRET_BYTES
from shared.rooms import check_subject
from shared.settings import ServiceSettings


def mint(settings: ServiceSettings, subject: str, scopes: Sequence[str], minutes: int) -> str:
    """Return a token for `subject` that is valid for so many minutes; raise StartupError."""
    secret = settings.jwt_secret.get_secret_value()
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise StartupError(
            f"STORECAST_JWT_SECRET: set it to the services' own, of {MIN_SECRET_BYTES} characters or more"
        )
    try:
        check_subject(subject)
    except ValueError as error:
        raise StartupError(f"--sub: {error}") from None
    now = int(time.time())
    claims = {
        "sub": subject,
        "aud": settings.jwt_audience,
        "iat": now,
        "exp": now + minutes * 60,
        "scope": " ".join(scopes),
        **({"iss": settings.jwt_issuer} if settings.jwt_issuer else {}),
    }
    return jwt.encode(claims, secret, "HS256")
