"""Tokens as an identity provider would give them out."""

import time
from typing import Any

import jwt

JWT_SECRET = "a secret of thirty-two bytes or more"


def token(sub: Any, *, secret: str = JWT_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Return a token that is valid for an hour; claims that are None are left out."""
    all_claims = {"sub": sub, "exp": int(time.time()) + 3_600, **claims}
    return jwt.encode({name: claim for name, claim in all_claims.items() if claim is not None}, secret, algorithm)
