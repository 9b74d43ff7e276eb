"""Tokens as an identity provider would give them out, good and bad."""

import base64
import json
import time
from typing import Any

import jwt

JWT_SECRET = "a secret of thirty-two bytes or more"


def token(sub: Any, *, secret: Any = JWT_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Return a token that is valid for an hour; claims that are None are left out; `kid` goes into its header."""
    headers = {"kid": claims.pop("kid")} if "kid" in claims else None
    all_claims = {"sub": sub, "aud": "storecast", "exp": int(time.time()) + 3_600, **claims}
    named = {name: claim for name, claim in all_claims.items() if claim is not None}
    return jwt.encode(named, secret, algorithm, headers=headers)


def signed(claims: Any) -> str:
    """Return any JSON, signed; `token` takes only what PyJWT lets be signed as a token."""
    return jwt.PyJWS().encode(json.dumps(claims).encode(), JWT_SECRET, "HS256")


def unsigned(sub: str, **header: Any) -> str:
    """Return a token that nobody has signed."""
    claims = {"sub": sub, "aud": "storecast", "exp": int(time.time()) + 3_600}
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", **header}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def bad_tokens(**claims: Any) -> dict[str, str]:
    """Return what proves nothing, by its name."""
    return {
        "expired": token("ann", exp=int(time.time()) - 60, **claims),
        "not yet valid": token("ann", nbf=int(time.time()) + 600, **claims),
        "for another service": token("ann", aud="another", **claims),
        "signed by another": token("ann", secret="another secret of thirty-two bytes", **claims),
        "signed by nobody": unsigned("ann", alg="none"),
        "no token": "nonsense",
    }
