"""What tokens are verified with."""

import base64
from collections.abc import Iterable, Sequence
from typing import Protocol

from jwt import PyJWK

from shared.errors import StartupError
from shared.identity.errors import BadToken

# RFC 7518, section 3.2: a key is at least as long as the hash. Whoever guesses a shorter one is whoever they like.
MIN_SECRET_BYTES = 32


class Keys(Protocol):
    """Where keys come from. Each is for one algorithm, its own: a token has no say in it (RFC 8725, section 3.1)."""

    def named(self, key_id: str | None) -> Sequence[PyJWK]:
        """Return the keys for a token that names one, or does not; raise KeysAway or BadToken."""

    async def renewed(self) -> None:
        """Wait until the keys are as new as they can be."""

    async def run(self) -> None:
        """Keep the keys up to date, until it is cancelled."""


class SharedSecrets:
    """Secrets that whoever gives out the tokens knows as well (HS256)."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = [_key(secret) for secret in secrets]

    def named(self, key_id: str | None) -> Sequence[PyJWK]:  # noqa: ARG002  # secrets have no names
        """Return all: the new one and the previous one; raise BadToken where there is none."""
        if not self._keys:
            raise BadToken("no token is known here: set STORECAST_JWT_SECRET")
        return self._keys

    async def renewed(self) -> None:
        """Be as new as ever."""

    async def run(self) -> None:
        """Have nothing to do."""


def _key(secret: str) -> PyJWK:
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise StartupError(f"STORECAST_JWT_SECRET: must have at least {MIN_SECRET_BYTES} characters")
    encoded = base64.urlsafe_b64encode(secret.encode()).decode()
    return PyJWK({"kty": "oct", "alg": "HS256", "k": encoded})
