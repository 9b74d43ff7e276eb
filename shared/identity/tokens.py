"""Reads tokens: who a caller is, by a signature that is verified and claims that are checked (RFC 7519, RFC 8725)."""

from typing import Any

import jwt

from shared.identity.errors import BadToken, KeysAway
from shared.identity.identity import ANYONE, Identity
from shared.identity.keys import Keys
from shared.rooms import check_subject
from shared.settings import ServiceSettings

MAX_TOKEN_LENGTH = 4_096
_MAX_SCOPES = 100

# The end of the year 9999, the last second that has a date.
_NEVER = 253_402_300_799

_REQUIRED = ["exp", "sub", "aud"]


class Tokens:
    """Tells who callers are, by what the settings demand of a token and the keys that sign them."""

    def __init__(self, settings: ServiceSettings, keys: Keys) -> None:
        self._settings = settings
        self._without_tokens = settings.auth == "off"
        self.keys = keys

    async def identify(self, token: str | None) -> Identity:
        """Return who has the token, or is without one; raise BadToken or KeysAway."""
        try:
            return self.identify_now(token)
        except KeysAway:
            await self.keys.renewed()
            return self.identify_now(token)

    def identify_now(self, token: str | None) -> Identity:
        """Return who has the token by the keys that are here; raise BadToken or KeysAway."""
        if token is None:
            return ANYONE._replace(is_trusted=self._without_tokens)
        claims = self._claims(token)
        try:
            subject = check_subject(claims["sub"])
        except ValueError as error:
            raise BadToken(f"the token's sub: {error}") from None
        expires_at = float(min(int(claims["exp"]) + self._settings.jwt_leeway_seconds, _NEVER))
        return Identity(subject, _scopes(claims.get("scope")), expires_at, self._without_tokens)

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise BadToken(f"a token has at most {MAX_TOKEN_LENGTH} characters")
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            for key in self.keys.named(key_id):
                try:
                    return self._verified(token, key)
                except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
                    continue
        except jwt.ExpiredSignatureError:
            raise BadToken("the token has expired: get a new one") from None
        except jwt.ImmatureSignatureError:
            raise BadToken("the token is not valid yet: nbf or iat is in the future") from None
        except jwt.MissingRequiredClaimError:
            raise BadToken("the token must have exp, sub and aud") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            raise BadToken("the token is for someone else: STORECAST_JWT_AUDIENCE, STORECAST_JWT_ISSUER") from None
        except (jwt.PyJWTError, UnicodeEncodeError):
            pass  # it is said below: nothing of it is worth telling apart
        raise BadToken("the token is not valid: it is not signed with a key that is known here")

    def _verified(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        settings = self._settings
        # An unset issuer is any: whoever has the key is one. PyJWT demands the claim where it is given an issuer.
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer or None,
            leeway=settings.jwt_leeway_seconds,
            options={"require": _REQUIRED},
        )


def _scopes(claim: Any) -> frozenset[str]:
    # Anything else gives nothing.
    return frozenset(claim.split(" ", _MAX_SCOPES)[:_MAX_SCOPES]) if isinstance(claim, str) else frozenset()
