"""One `storecast up`, supervision and all, as a person starts it."""

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx
from pymongo import MongoClient

from deploy.local import tether
from deploy.local.mongod import REPLICA_SET
from deploy.local.ports import HOST, free_ports
from tests.waiting import eventually

STORECAST = Path(sys.executable).with_name("storecast")
SECRET = "the-secret-that-no-file-may-hold"
START_S = 60
STOP_S = 60
_MONGODB_MS = 30_000


class Up:
    """One `storecast up`, as a person starts it."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, port: int) -> None:
        self.process = process
        self.folder = folder
        self.origin = f"http://{HOST}:{port}"
        self.http = httpx.AsyncClient(base_url=self.origin, trust_env=False, timeout=30)
        self.shown: list[str] = []
        self._ready = asyncio.get_running_loop().create_future()

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path, *options: str, **more: str) -> AsyncIterator[Self]:
        """Start one; it is ready. Whatever the test leaves of it is killed."""
        [port] = free_ports(1)
        up = cls(await storecast(folder, port, *options, **more), folder, port)
        reading = asyncio.create_task(up._read())
        try:
            if not await asyncio.wait_for(up._ready, START_S):
                assert up.process.stderr is not None
                errors = await up.process.stderr.read()
                raise AssertionError(f"it was not ready: {''.join(up.shown)}{errors.decode()}")
            yield up
        finally:
            children = up.pids()
            if up.process.returncode is None:
                up.process.kill()
            await reading
            await up.process.communicate()
            await up.http.aclose()
            await all_end(children)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.shown.append(line.decode())
            if line.startswith(b"ready") and not self._ready.done():
                self._ready.set_result(True)
        if not self._ready.done():
            self._ready.set_result(False)

    def pids(self) -> dict[str, int]:
        """Return the process ids that stand in the data directory."""
        pids: dict[str, int] = {}
        for file in (self.folder / "run").glob("*.pid"):
            with suppress(FileNotFoundError):  # its child has just died
                pids[file.stem] = int(file.read_text())
        return pids

    async def stop(self, number: signal.Signals) -> int:
        """End it by a signal and return its exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), STOP_S)

    def addresses(self) -> dict[str, str]:
        """Return where each service is, as it is displayed."""
        return dict(re.findall(r"^  (\S+) +(http://127\.0\.0\.1:\d+)$", "".join(self.shown), re.MULTILINE))

    async def works(self) -> bool:
        """Whether every replica answers, one leads, and the gateway reaches both services."""
        replicas = [address for name, address in self.addresses().items() if name.startswith("api-")]
        if not all([(await self.http.get(f"{address}/readyz")).is_success for address in replicas]):
            return False
        ready = await self.http.get("/readyz")
        sockets = await self.http.get("/websocket-service/", params={"EIO": "4", "transport": "polling"})
        return ready.is_success and ready.json()["leader"] is not None and sockets.text.startswith('0{"sid"')

    def members(self) -> dict[str, str]:
        """Return the state of each member of the replica set."""
        ports = {file.stem: int(file.read_text()) for file in self.folder.glob("mongod*.port")}
        client: MongoClient[dict[str, Any]]
        addresses = [f"{HOST}:{port}" for port in ports.values()]
        with MongoClient(addresses, replicaSet=REPLICA_SET, serverSelectionTimeoutMS=_MONGODB_MS) as client:
            status = client.admin.command("replSetGetStatus")
        states = {int(member["name"].rpartition(":")[2]): member["stateStr"] for member in status["members"]}
        return {name: states[port] for name, port in ports.items()}

    def primary(self) -> str:
        """Return the name of the member that takes writes."""
        return next(name for name, state in self.members().items() if state == "PRIMARY")

    def whole(self) -> bool:
        """Whether every member of the replica set takes part."""
        return sorted(self.members().values()) == ["PRIMARY", "SECONDARY", "SECONDARY"]

    async def create(self, name: str) -> httpx.Response:
        """Create a product."""
        return await self.http.post("/products", json={"name": name, "price": "1.00"})

    async def names(self) -> Counter[str]:
        """Return how often each name stands in the catalogue."""
        names: Counter[str] = Counter()
        cursor: dict[str, str] = {}
        while True:
            answer = await self.http.get("/products", params={"limit": 100, **cursor})
            assert answer.status_code == HTTPStatus.OK, answer.text
            page = answer.json()
            names.update(item["name"] for item in page["items"])
            if page["next_cursor"] is None:
                return names
            cursor = {"cursor": page["next_cursor"]}


async def storecast(folder: Path, port: int, *options: str, **environment: str) -> asyncio.subprocess.Process:
    """Run `storecast up` on a data directory and a port."""
    return await asyncio.create_subprocess_exec(
        # A run of the tests that is itself killed leaves nothing behind.
        *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
        *(str(STORECAST), "up", "--data-dir", str(folder), "--port", str(port), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "STORECAST_EMITTER_SECRET": SECRET, **environment},
        cwd=folder.parent,
        start_new_session=True,  # Ctrl-C is for the run of the tests alone
    )


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be asked for its exit code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def all_end(pids: Mapping[str, int]) -> None:
    """Wait until none of the processes runs."""
    await eventually(lambda: not [name for name in pids if runs(pids[name])], message="every child has ended")
