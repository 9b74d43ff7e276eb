"""Redis as emitters use it, and the edge where the library's errors become ours."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from redis.exceptions import RedisError

from shared.serving.http.errors import Unavailable
from shared.serving.redis import Client, redis_client

BLOCK_MS = 1_000
"""How long a read waits for something to come."""

_TIMEOUT_S = 2.0


class RedisUnavailable(Unavailable):
    """Redis did not answer, or not what was asked. `__cause__` says why; who called is not told."""

    def __init__(self) -> None:
        super().__init__("the Redis that all emitters share does not answer")


@contextmanager
def translated() -> Iterator[None]:
    """Have whatever goes wrong with Redis raise RedisUnavailable."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise RedisUnavailable from error


Fields = Mapping[bytes, bytes]
Row = tuple[bytes, Fields]
"""An entry of a stream: its id and its fields."""


class Streams(Client, Protocol):
    """What is used of the library's client; its own types allow for text, which is not asked for here."""

    async def ping(self) -> bool:
        """Tell whether it answers."""

    async def hmget(self, name: str, keys: list[str]) -> list[bytes | None]:
        """Return fields of a hash."""

    async def xadd(self, name: str, fields: Mapping[bytes, Any], *, minid: str) -> bytes:
        """Add an entry and return its id; forget, about, what comes before `minid`."""

    async def xtrim(self, name: str, *, minid: str) -> int:
        """Forget, about, what comes before `minid`."""

    async def xrange(self, name: str, min: str, max: str, count: int) -> list[Row]:  # noqa: A002  # the library's names
        """Return entries."""

    async def xrevrange(self, name: str, *, count: int) -> list[Row]:
        """Return the newest entries, the newest one first."""

    async def xread(self, streams: Mapping[str, bytes | str], count: int, block: int) -> list[tuple[bytes, list[Row]]]:
        """Wait for entries beyond the given ids."""

    def register_script(self, script: str) -> Callable[..., Awaitable[Any]]:
        """Return a function that runs a script in Redis."""


def is_cancelled() -> bool:
    """Tell whether this task is to end.

    A loop round the library's calls has to ask: redis 8.1 swallows a cancellation that comes together with an answer.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def open_redis(url: str) -> Streams:
    """Return a client of the primary, which connects when it is used.

    Raises:
        ValueError: there is no such URL. The message says how one looks, and nothing of a password.
    """
    client: Streams = redis_client(url, connect_timeout_s=_TIMEOUT_S, timeout_s=_TIMEOUT_S + BLOCK_MS / 1000)
    return client
