"""A real Redis that a test may stop, kill and start again."""

import signal
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from deploy.local.child import Program
from deploy.local.ports import HOST, free_ports
from tests.processes import Process
from tests.tools import require
from tests.waiting import eventually

PRIMARY = "storecast"
"""The primary's name among Sentinels."""


class RedisServer(Process):
    """One server on a free port, without a file: started again it is empty."""

    def __init__(
        self, folder: Path, name: str = "redis", *, primary: Self | None = None, sentinel: Path | None = None
    ) -> None:
        [self.port] = free_ports(1)
        program = require("redis-server", "install the Debian package redis-server")
        first = [program] if sentinel is None else [program, str(sentinel), "--sentinel"]
        options = ["--port", str(self.port), "--bind", HOST, "--dir", str(folder)]
        if sentinel is None:
            options += ["--save", ""]
        if primary is not None:
            options += ["--replicaof", f"{HOST} {primary.port}"]
        super().__init__(Program(name, self.url, (*first, *options)), folder / f"{name}.log")

    def __enter__(self) -> Self:
        if not self.running:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.send(signal.SIGKILL)  # which also ends one that is stopped
            self.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{HOST}:{self.port}"

    @property
    def client(self) -> "Redis":
        """Return a plain client."""
        return Redis.from_url(self.url, decode_responses=True)

    async def answers(self) -> None:
        """Wait until it does."""

        def pong() -> bool:
            try:
                return bool(self.client.ping())
            except RedisError:
                return False

        await eventually(pong, message="Redis answers")


def sentinel_of(primary: RedisServer, folder: Path) -> RedisServer:
    """Return a Sentinel that has another server take over half a second after the primary was lost."""
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor {PRIMARY} {HOST} {primary.port} 1\n"
        f"sentinel down-after-milliseconds {PRIMARY} 500\n"
        f"sentinel failover-timeout {PRIMARY} 2000\n"
    )
    return RedisServer(folder, "sentinel", sentinel=configuration)
