"""The product API as the commands call it. What httpx raises becomes ours here."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx

from deploy.cli.errors import NotThere, Refused, Unavailable
from deploy.cli.problems import error_of
from shared.version import VERSION

# Longer than a service or a gateway takes to give up by itself.
_ANSWER_WITHIN_S = 60
_CONNECT_WITHIN_S = 5


class Api:
    """The product API at one origin.

    Each call raises a CommandError: NotThere, Unavailable or Refused.
    """

    def __init__(self, origin: str, http: httpx.AsyncClient) -> None:
        self._origin = origin
        self._http = http

    @classmethod
    @asynccontextmanager
    async def at(cls, origin: str, token: str | None) -> AsyncIterator[Self]:
        """Keep connections to an origin, as the owner of a token or as nobody."""
        headers = {"User-Agent": f"storecast/{VERSION}"} | ({"Authorization": f"Bearer {token}"} if token else {})
        timeout = httpx.Timeout(_ANSWER_WITHIN_S, connect=_CONNECT_WITHIN_S)
        async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=timeout) as http:
            yield cls(origin, http)

    async def create(self, draft: dict[str, Any], key: str) -> dict[str, Any]:
        """Create a product, or return the one that the key has made."""
        return await self._call("POST", "/products", "id", json=draft, headers={"Idempotency-Key": key})

    async def create_many(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create products, each with a key of its own, and return what became of each, in their order."""
        answer = await self._call("POST", "/products/batch", "results", json={"items": items})
        results: list[dict[str, Any]] = answer["results"]
        return results

    async def page_config(self) -> dict[str, Any]:
        """Return what a page is told about the sockets."""
        return await self._call("GET", "/config.json", "socket_path")

    async def _call(self, method: str, path: str, member: str, **request: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotThere(f"nothing answers at {self._origin}: {error or 'not in time'}") from None
        except httpx.TransportError as error:
            raise Unavailable(f"{self._origin} does not answer: {error or type(error).__name__}") from None
        if not answer.is_success:
            raise error_of(answer.status_code, answer.content, answer.headers.get("Retry-After"))
        return self._read(answer, member)

    def _read(self, answer: httpx.Response, member: str) -> dict[str, Any]:
        try:
            body: Any = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or member not in body:
            raise Refused(f"what answers at {self._origin} is no Storecast")
        return body
