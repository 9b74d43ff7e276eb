"""Who a client is: what its token says, if it was signed with our secret (RFC 7519)."""

import jwt

from shared.errors import StartupError
from shared.rooms import check_subject
from ws_service.settings import Settings

MAX_TOKEN_LENGTH = 4_096

_ALGORITHM = "HS256"
# RFC 7518, section 3.2: a key is at least as long as the hash. Whoever guesses a shorter one is whoever they like.
_MIN_SECRET_BYTES = 32


class BadToken(Exception):
    """A token that proves nothing. The message is constant: what the client sent stands in no log and no answer."""


class Tokens:
    """Reads tokens."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret.get_secret_value()
        if self._secret and len(self._secret.encode()) < _MIN_SECRET_BYTES:
            raise StartupError(f"STORECAST_JWT_SECRET: must have at least {_MIN_SECRET_BYTES} characters")

    def subject(self, token: str) -> str:
        """Return whose token it is, its `sub`; raise BadToken."""
        if not self._secret:
            raise BadToken("this emitter knows no tokens: set STORECAST_JWT_SECRET")
        if len(token) > MAX_TOKEN_LENGTH:
            raise BadToken(f"a token has at most {MAX_TOKEN_LENGTH} characters")
        try:
            # The algorithm is ours: the token's own word on it could be "none" (RFC 8725, section 3.1).
            claims = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options={"require": ["exp", "sub"]})
        except jwt.ExpiredSignatureError:
            raise BadToken("the token has expired: get a new one") from None
        except jwt.MissingRequiredClaimError:
            raise BadToken("the token must have exp and sub") from None
        except (jwt.PyJWTError, UnicodeEncodeError):
            raise BadToken(f"the token is not valid: sign it with STORECAST_JWT_SECRET by {_ALGORITHM}") from None
        try:
            return check_subject(claims["sub"])
        except ValueError as error:
            raise BadToken(f"the token's sub: {error}") from None
