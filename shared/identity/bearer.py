"""The token in an Authorization header (RFC 6750, section 2.1)."""

from shared.identity.errors import BadToken

CHALLENGE = 'Bearer realm="storecast"'
"""What an answer that asks for a token has in its WWW-Authenticate (RFC 6750, section 3)."""


def bearer_token(authorization: str | None) -> str | None:
    """Return the token, or None where there is no such header; raise BadToken."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BadToken("send Authorization: Bearer <token>")
    return token.strip()
