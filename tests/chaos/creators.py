"""Eight clients that create, change and delete products, and remember what they were promised."""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from tests.chaos.pace import Pace

COUNT = 8
MAX_CREATED = 200_000
_ANSWER_S = 2.0
_AGAIN_AFTER_S = 0.1
_FINISH_WITHIN_S = 60
_PATCHED, _DELETED = 0.4, 0.2
_TO_DELETE = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}  # not found: an earlier try, unanswered, has deleted it


class UnexpectedAnswer(AssertionError):
    """A request that is right was called wrong."""


class Creators:
    """The clients, the ids of products whose creation was acknowledged, and the answers by kind."""

    def __init__(self, http: aiohttp.ClientSession, pace: Pace, seed: int) -> None:
        self.acknowledged: set[str] = set()
        self.answers: Counter[str] = Counter()
        self._http = http
        self._seed = seed
        self._pace = pace
        self._stopping = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def working(cls, url: str, rate: float, seed: int) -> AsyncIterator[Self]:
        """Have them make so many changes a second together; at the end each finishes what it has begun."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
        async with aiohttp.ClientSession(url, timeout=timeout) as http, asyncio.TaskGroup() as group:
            creators = cls(http, Pace(rate), seed)
            clients = [group.create_task(creators._work(number)) for number in range(COUNT)]
            try:
                yield creators
                creators._stopping.set()
                await asyncio.wait(clients, timeout=_FINISH_WITHIN_S)
            finally:
                for client in clients:
                    client.cancel()

    async def _work(self, number: int) -> None:
        rng = random.Random(f"{self._seed}/{number}")  # noqa: S311 - it has to repeat itself
        own: list[str] = []
        while not self._stopping.is_set() and len(self.acknowledged) < MAX_CREATED:
            own.append(await self.create(f"product {len(own)} of creator {number}"))
            if rng.random() < _PATCHED:
                price = f"{rng.randrange(10_000)}.{rng.randrange(100):02}"
                await self._send("PATCH", f"/products/{rng.choice(own)}", {HTTPStatus.OK}, json={"price": price})
            if rng.random() < _DELETED:
                await self._send("DELETE", f"/products/{own.pop(rng.randrange(len(own)))}", _TO_DELETE)

    async def create(self, name: str) -> str:
        """Create a product, and insist under the same key until it is acknowledged."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        product = await self._send(
            *("POST", "/products", {HTTPStatus.CREATED, HTTPStatus.OK}),
            json={"name": name, "price": "9.99"},
            headers=headers,
        )
        self.acknowledged.add(product["id"])
        return str(product["id"])

    async def _send(self, method: str, path: str, wanted: set[HTTPStatus], **request: Any) -> Any:
        await self._pace.turn()
        while True:
            try:
                async with self._http.request(method, path, **request) as response:
                    status = response.status
                    answer = await response.json() if response.content_type.endswith("json") else None
            except TimeoutError:
                self.answers["no answer in time"] += 1
            except aiohttp.ClientError:
                self.answers["connection lost"] += 1
            else:
                self.answers[f"{status // 100}xx"] += 1
                if status in wanted:
                    return answer
                if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise UnexpectedAnswer(f"{method} {path}: {status} {answer}")
            await asyncio.sleep(_AGAIN_AFTER_S)
