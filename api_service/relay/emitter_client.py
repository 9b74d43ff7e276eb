"""The emitter as the relay sees it: three calls, and the edge where httpx's errors become ours.

EmitterError
+-- EmitterUnavailable  no answer, or one that may be another next time: try again
+-- BatchRefused        the emitter cannot take these events at all
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import httpx
from pydantic import ValidationError

from api_service.settings import Settings
from shared.emitter_api import EVENTS_PATH, POSITION_PATH, Batch, EmitterPosition

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)
# The statuses that another try of the same events would get again.
_REFUSED = frozenset({400, 413, 422})


class EmitterError(Exception):
    """A call to the emitter did not do what it was for."""


class EmitterUnavailable(EmitterError):
    """The emitter did not take part: it is down, starting, or does not know our secret."""


class BatchRefused(EmitterError):
    """The emitter finds these events malformed or too large."""


class EmitterClient:
    """Calls to the emitters, each with a deadline: to one of them, until that one is unavailable."""

    def __init__(self, *emitters: httpx.AsyncClient) -> None:
        self._emitters = deque(emitters)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[Self]:
        """Keep connections open for as long as the context lasts. Nothing is connected before the first call."""
        authorization = {"Authorization": f"Bearer {settings.emitter_secret.get_secret_value()}"}
        async with AsyncExitStack() as stack:
            yield cls(
                *[
                    await stack.enter_async_context(
                        httpx.AsyncClient(base_url=url, headers=authorization, timeout=_TIMEOUT, trust_env=False)
                    )
                    for url in settings.emitter_urls
                ]
            )

    async def position(self) -> EmitterPosition:
        """Ask how far the emitter has come."""
        return await self._call("GET", POSITION_PATH, None)

    async def post(self, batch: Batch) -> EmitterPosition:
        """Hand a batch over. The answer is where the emitter is now, whether it took the batch or not."""
        return await self._call("POST", EVENTS_PATH, batch.model_dump_json(exclude_defaults=True))

    async def _call(self, method: str, path: str, body: str | None) -> EmitterPosition:
        try:
            return await self._ask(self._emitters[0], method, path, body)
        except EmitterUnavailable:
            # Not now, but at the next call: where that one is, is for the caller to ask.
            self._emitters.rotate(-1)
            raise

    async def _ask(self, http: httpx.AsyncClient, method: str, path: str, body: str | None) -> EmitterPosition:
        try:
            response = await http.request(
                method, path, content=body, headers={"Content-Type": "application/json"} if body else None
            )
        except httpx.HTTPError as error:
            raise EmitterUnavailable(f"{method} {path}: {error or type(error).__name__}") from error
        if response.status_code in _REFUSED:
            raise BatchRefused(f"{method} {path}: {response.status_code} {response.text}")
        if response.status_code not in {200, 409}:
            raise EmitterUnavailable(f"{method} {path}: {response.status_code} {response.text[:200]}")
        try:
            return EmitterPosition.model_validate_json(response.content)
        except ValidationError as error:
            raise EmitterUnavailable(f"{method} {path}: not an emitter's answer") from error
