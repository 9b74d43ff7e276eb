"""Redis as emitters use it, and the edge where the library's errors become ours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from redis.asyncio import Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ws_service.errors import Unavailable

BLOCK_MS = 1_000
"""How long a read waits for something to come."""

_TIMEOUT_S = 2.0
_SENTINEL = "redis+sentinel"
_SENTINEL_PORT = 26_379


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


class Streams(Protocol):
    """What is used of the library's client; its own types allow for text, which is not asked for here."""

    connection_pool: Any

    async def aclose(self) -> None:
        """Close all connections."""

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
    try:
        client: Streams = _client(url)
    except ValueError:
        raise ValueError(
            f"give redis://HOST:PORT, rediss://HOST:PORT or {_SENTINEL}://HOST:PORT,HOST:PORT/NAME"
        ) from None
    return client


@asynccontextmanager
async def closing(client: Streams) -> AsyncIterator[None]:
    """Close a client's connections in the end, to the Sentinels too."""
    try:
        yield
    finally:
        await client.aclose()
        if isinstance(client.connection_pool, SentinelConnectionPool):
            for sentinel in client.connection_pool.sentinel_manager.sentinels:
                await sentinel.aclose()


def _client(url: str) -> Any:
    # Each call once: a message that is written again would be heard twice. Who has to know tries again.
    options: dict[str, Any] = {
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "socket_connect_timeout": _TIMEOUT_S,
        "socket_timeout": _TIMEOUT_S + BLOCK_MS / 1000,
    }
    parts = urlsplit(url)
    name = parts.path.strip("/")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("no host, or more than that")
    if parts.scheme != _SENTINEL:
        if name and not name.isdecimal():
            raise ValueError("a database has a number")
        return Redis.from_url(url, **options)
    if not name or "/" in name:
        raise ValueError("no name")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    addresses = [_address(host) for host in hosts]
    login: dict[str, Any] = {"username": _text(parts.username), "password": _text(parts.password)}
    # A primary that was replaced answers READONLY or ends the connection: the next one is asked of the Sentinels.
    sentinels: Any = Sentinel(addresses, sentinel_kwargs=options, **options)  # type: ignore[no-untyped-call]  # the library's
    return sentinels.master_for(name, **login)


def _text(part: str | None) -> str | None:
    return unquote(part) if part else None


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(urlunsplit(("redis", host, "", "", "")))
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or _SENTINEL_PORT
