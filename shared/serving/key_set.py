"""The keys of an identity provider, fetched from its JWKS URL and kept (RFC 7517, section 5)."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx
import orjson
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from shared import metrics
from shared.identity.errors import KeysAway

# Signatures that are verified with a public key. A secret that stands in a public document is none.
_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)

_REFRESH_S = 300.0
_RETRY_S = 10.0
# A try as a whole, whatever comes of it meanwhile; and how long those who wait for it do. Beyond that the provider is
# taken for away, and nobody waits any more.
_TIMEOUT_S = 5.0
_PATIENCE_S = 1.0
_MAX_BYTES = 256 * 1024

_log = structlog.get_logger(__name__)


class KeySet:
    """Public keys by their ids. What was fetched once stays until something newer was: a provider may be away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: list[PyJWK] = []
        self._wanted = asyncio.Event()
        # Set when nobody is to wait for the present try any longer, and then replaced.
        self._tried = asyncio.Event()
        self._is_resting = False
        self._is_away = False

    def named(self, key_id: str | None) -> Sequence[PyJWK]:
        """Return the key; or, for a token that names none, the only one there is."""
        found = [key for key in self._keys if key.key_id == key_id]
        if key_id is None and not found and len(self._keys) == 1:
            found = self._keys
        # After a moment's rest an unknown key is worth a try. Before, whoever makes up names of keys would have us
        # ask the provider at each of them. While the provider is away nobody knows whether it is one.
        if not found and (self._is_away or not self._is_resting):
            self._wanted.set()
            raise KeysAway("the key of the token is being looked up: try again")
        return found

    async def renewed(self) -> None:
        """Wait for the next try, if there is to be one now, and if it is to be hoped that it comes to something."""
        if self._wanted.is_set() and not self._is_resting and not self._is_away:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await self._tried.wait()

    async def run(self) -> None:
        """Fetch the keys, and again every five minutes, after a failure, and when a token names another."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as http:
            while True:
                self._wanted.clear()
                await self._try(http)
                self._is_resting = True
                await asyncio.sleep(_RETRY_S)
                self._is_resting = False
                with suppress(TimeoutError):
                    async with asyncio.timeout(0 if self._is_away else _REFRESH_S - _RETRY_S):
                        await self._wanted.wait()

    async def _try(self, http: httpx.AsyncClient) -> None:
        patience = asyncio.get_running_loop().call_later(_PATIENCE_S, self._lose_patience)
        try:
            await self._fetch(http)
        finally:
            patience.cancel()
            self._release()

    def _lose_patience(self) -> None:
        self._is_away = True
        self._release()

    def _release(self) -> None:
        self._tried.set()
        self._tried = asyncio.Event()

    async def _fetch(self, http: httpx.AsyncClient) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S), http.stream("GET", self._url) as response:
                response.raise_for_status()
                self._keys = _usable(await _bounded(response))
                self._is_away = False
        except (httpx.HTTPError, TimeoutError, ValueError, PyJWTError) as error:
            self._is_away = True
            metrics.key_set_failures.inc()
            said = str(error) or type(error).__name__
            _log.warning("the JWKS URL gives no keys; those that are there stay", kept=len(self._keys), error=said)


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
    return bytes(body)


def _usable(body: bytes) -> list[PyJWK]:
    document = orjson.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("this is no JWK Set")  # noqa: TRY004  # as whatever else it could be
    usable = [key for entry in entries if (key := _key(entry))]
    if not usable:
        raise ValueError("there is no public key for signatures in it")
    return usable


def _key(entry: Any) -> PyJWK | None:
    """Return a key that may sign; what is none, or of a kind that is not known, costs the others nothing (RFC 7517)."""
    # Lists, because anything may stand there, also what has no hash.
    is_ours = (
        isinstance(entry, dict)
        and entry.get("use", "sig") == "sig"
        and entry.get("kty") in ["RSA", "EC", "OKP"]
        and entry.get("alg") in [None, *_ALGORITHMS]
    )
    try:
        key = PyJWK.from_dict(entry) if is_ours else None
    except (PyJWTError, ValueError, TypeError):  # PyJWT decodes what stands there, of whatever type
        return None
    return key if key and key.algorithm_name in _ALGORITHMS else None
