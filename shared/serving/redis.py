"""How Redis is named and reached: by a URL, one server or the primary that Sentinels know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from redis.asyncio import Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

_SENTINEL = "redis+sentinel"
_SENTINEL_PORT = 26_379


class Client(Protocol):
    """What every client of Redis has."""

    connection_pool: Any

    async def aclose(self) -> None:
        """Close all connections."""


def redis_client(url: str, *, connect_timeout_s: float, timeout_s: float) -> Any:
    """Return a client of the primary, which connects when it is used.

    Raises:
        ValueError: there is no such URL. The message says how one looks, and nothing of a password.
    """
    # Each call once: a message that is written again would be heard twice. Who has to know tries again.
    options = {
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "socket_connect_timeout": connect_timeout_s,
        "socket_timeout": timeout_s,
    }
    try:
        return _client(url, options)
    except ValueError:
        raise ValueError(
            f"give redis://HOST:PORT, rediss://HOST:PORT or {_SENTINEL}://HOST:PORT,HOST:PORT/NAME"
        ) from None


@asynccontextmanager
async def closing(client: Client) -> AsyncIterator[None]:
    """Close a client's connections in the end, to the Sentinels too."""
    try:
        yield
    finally:
        await client.aclose()
        if isinstance(client.connection_pool, SentinelConnectionPool):
            for sentinel in client.connection_pool.sentinel_manager.sentinels:
                await sentinel.aclose()


def _client(url: str, options: dict[str, Any]) -> Any:
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
