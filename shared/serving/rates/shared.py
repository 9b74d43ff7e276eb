"""Rates that many processes count together, in Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from shared import metrics
from shared.serving.rates.local import WINDOW_S, LocalRate
from shared.serving.redis import closing, redis_client

_PREFIX = "storecast:rates"

# Nobody waits for Redis longer than that; and once it was not there, it is not asked for a while.
_WITHIN_S = 0.25
_REST_S = 1.0
# As many connections; a flood is not to become one of Redis.
_AT_ONCE = 16

_log = structlog.get_logger(__name__)


class SharedRate:
    """What is too much for one process is too much for all: Redis is asked about the rest only.

    Without Redis each process counts alone. Nobody is refused because it is away.

    Raises:
        ValueError: the URL of Redis is none.
    """

    def __init__(self, name: str, per_second: int, url: str) -> None:
        self._client = redis_client(url, connect_timeout_s=_WITHIN_S, timeout_s=_WITHIN_S)
        pool: Any = self._client.connection_pool
        storage = RedisStorage("redis://", implementation="redispy", key_prefix=_PREFIX, connection_pool=pool)
        self._window = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerSecond(per_second * WINDOW_S, WINDOW_S, namespace=name)
        self._local = LocalRate(per_second)
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._rests_until = 0.0

    async def permits(self, who: str) -> bool:
        """Count once more, and tell whether it is permitted."""
        if not await self._local.permits(who):
            return False
        loop = asyncio.get_running_loop()
        if loop.time() < self._rests_until:
            return True
        try:
            async with asyncio.timeout(_WITHIN_S), self._asking:
                return await self._window.hit(self._item, who)
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = loop.time() + _REST_S
            metrics.rate_failures.inc()
            _log.warning("a rate is counted here alone: Redis cannot be asked", error=str(error) or "no answer in time")
            return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Count for as long as the context lasts."""
        async with closing(self._client):
            yield
