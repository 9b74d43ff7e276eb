import asyncio
import os
import re
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Self

import httpx
import pytest

from deploy.local.gateway import INSTALL_HINT
from deploy.local.ports import HOST, free_ports
from tests.tools import require
from tests.waiting import eventually

STORECAST = Path(sys.executable).with_name("storecast")
SECRET = "the-secret-that-no-file-may-hold"
NO_MONGODB = "mongodb://127.0.0.1:1/storecast?replicaSet=rs0"
START_S = 60
CHILDREN = ["mongod", "emitter-1", "api-1", "api-2", "api-3", "gateway"]


class Up:
    """One `storecast up`, as a person starts it."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, port: int) -> None:
        self.process = process
        self.folder = folder
        self.origin = f"http://{HOST}:{port}"
        self.http = httpx.AsyncClient(base_url=self.origin, trust_env=False, timeout=10)
        self.shown: list[str] = []

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path, *options: str, **more: str) -> AsyncIterator[Self]:
        """Start one; it is ready. Whatever the test leaves of it is killed."""
        [port] = free_ports(1)
        up = cls(await storecast(folder, port, *options, **more), folder, port)
        try:
            await asyncio.wait_for(up._read_until_ready(), START_S)
            yield up
        finally:
            if up.process.returncode is None:
                up.process.kill()
            await up.process.communicate()
            await up.http.aclose()

    async def _read_until_ready(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.shown.append(line.decode())
            if line.startswith(b"ready"):
                return
        _, errors = await self.process.communicate()
        raise AssertionError(f"it was not ready: {''.join(self.shown)}{errors.decode()}")

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
        return await asyncio.wait_for(self.process.wait(), 30)

    async def works(self) -> bool:
        """Whether a replica leads and the gateway reaches both services."""
        ready = await self.http.get("/readyz")
        sockets = await self.http.get("/websocket-service/", params={"EIO": "4", "transport": "polling"})
        return ready.is_success and ready.json()["leader"] is not None and sockets.text.startswith('0{"sid"')

    async def create(self, name: str) -> httpx.Response:
        """Create a product."""
        return await self.http.post("/products", json={"name": name, "price": "1.00"})

    async def names(self) -> Counter[str]:
        """Return how often each name stands in the catalogue."""
        names: Counter[str] = Counter()
        cursor: dict[str, str] = {}
        while True:
            page = (await self.http.get("/products", params={"limit": 100, **cursor})).json()
            names.update(item["name"] for item in page["items"])
            if page["next_cursor"] is None:
                return names
            cursor = {"cursor": page["next_cursor"]}


async def storecast(folder: Path, port: int, *options: str, **environment: str) -> asyncio.subprocess.Process:
    """Run `storecast up` on a data directory and a port."""
    return await asyncio.create_subprocess_exec(
        *(str(STORECAST), "up", "--data-dir", str(folder), "--port", str(port), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "STORECAST_EMITTER_SECRET": SECRET, **environment},
        cwd=folder.parent,
    )


async def refused(folder: Path, port: int, *options: str, **environment: str) -> str:
    """Run a `storecast up` that cannot start; return its one line."""
    process = await storecast(folder, port, *options, **environment)
    _, errors = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 2
    [line] = errors.decode().splitlines()
    return line


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be asked for its exit code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def proc(pid: int, file: str) -> bytes:
    """Return what the kernel tells of a process."""
    return Path(f"/proc/{pid}/{file}").read_bytes()


async def all_end(pids: Mapping[str, int]) -> None:
    """Wait until none of the processes runs."""
    await eventually(lambda: not [name for name in pids if runs(pids[name])], message="every child has ended")


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """One system for the tests that leave it as they found it."""
    require("nginx", INSTALL_HINT)
    async with Up.started(tmp_path_factory.mktemp("up") / "data") as up:
        yield up


async def test_it_says_when_it_is_ready_and_is(shared: Up) -> None:
    """The line `ready URL` stands alone and plain, and comes when all of the system works; no product was made."""
    assert shared.shown[-1] == f"ready {shared.origin}\n"
    assert "\x1b" not in "".join(shared.shown)
    assert await shared.works()
    assert (await shared.http.get("/products")).json() == {"items": [], "next_cursor": None}


async def test_the_display_names_every_address(shared: Up) -> None:
    """A person sees where each service is, where the data are, and how to stop."""
    display = "".join(shared.shown)
    for child in CHILDREN:
        assert re.search(rf"^  {child} +(http://)?127\.0\.0\.1:\d+$", display, re.MULTILINE)
    for text in (f"{shared.origin}/\n", "/websocket-service\n", "mongodb://", str(shared.folder), "Ctrl-C"):
        assert text in display


async def test_the_secret_is_nowhere_to_be_read(shared: Up) -> None:
    """It reaches the services in their environment: no command line, no file, no display has it."""
    children = shared.pids()
    assert sorted(children) == sorted(CHILDREN)
    for pid in (*children.values(), shared.process.pid):
        assert SECRET.encode() not in proc(pid, "cmdline")
    for name in ("mongod", "gateway"):
        assert SECRET.encode() not in proc(children[name], "environ")
    assert SECRET not in "".join(shared.shown)
    files = [file for file in shared.folder.rglob("*") if file.is_file() and "mongod" not in file.parts]
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


async def test_ctrl_c_in_the_terminal_reaches_up_alone(shared: Up) -> None:
    """Each child has a session of its own, so that the children are stopped in order, by `up`."""
    assert {os.getsid(pid) == pid for pid in shared.pids().values()} == {True}


async def test_a_second_one_on_the_same_data_is_refused(shared: Up) -> None:
    """One line names the process that uses the data; the first one is not disturbed."""
    line = await refused(shared.folder, free_ports(1)[0])
    assert f"{shared.folder} is in use by `storecast up` with process id {shared.process.pid};" in line
    assert await shared.works()


async def test_a_port_in_use_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    """One line names the port and the way out; no process was started, no database made."""
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        line = await refused(tmp_path / "data", port)
    assert line == f"storecast: port {port} is in use; choose another with --port"
    assert not list((tmp_path / "data" / "log").iterdir())


async def test_a_mongod_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """One line says which one and what to do."""
    (tmp_path / "mongod").write_text("#!/bin/sh\necho db version v4.4.29\n")
    (tmp_path / "mongod").chmod(0o755)
    line = await refused(tmp_path / "data", free_ports(1)[0], PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert f"{tmp_path}/mongod is too old (db version v4.4.29); install MongoDB 6.0 or later" in line


async def test_a_service_that_cannot_run_as_it_is_set_up_ends_the_start(tmp_path: Path) -> None:
    """The service's own line is shown at once, not after a minute of attempts, and nothing keeps running."""
    options = ("--replicas", "1", "--mongo-url", NO_MONGODB)
    line = await refused(tmp_path / "data", free_ports(1)[0], *options, STORECAST_PING_INTERVAL_MS="often")
    assert line.startswith("storecast: emitter-1 cannot start: ")
    assert "STORECAST_PING_INTERVAL_MS" in line
    assert not list((tmp_path / "data" / "run").iterdir())


async def test_two_origins_without_a_gateway(tmp_path: Path) -> None:
    """The API has the port, the page is told where the sockets are, and they accept the page's origin and no other."""
    async with Up.started(tmp_path / "data", "--gateway", "none", "--replicas", "1") as up:
        sockets = (await up.http.get("/config.json")).json()["socket_url"]
        assert f"{sockets}/websocket-service\n" in "".join(up.shown)
        assert sorted(up.pids()) == ["api-1", "emitter-1", "mongod"]

        async def handshake(origin: str) -> httpx.Response:
            url = f"{sockets}/websocket-service/?EIO=4&transport=polling"
            return await up.http.get(url, headers={"Origin": origin})

        for origin in (up.origin, up.origin.replace(HOST, "localhost")):
            answer = await handshake(origin)
            assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (HTTPStatus.OK, origin)
        assert (await handshake("http://elsewhere.example")).status_code == HTTPStatus.BAD_REQUEST


async def test_every_child_that_is_killed_comes_back(shared: Up) -> None:
    """Killed by the process id in its file, each child is back under another one, and the whole works again."""
    for name in CHILDREN:
        before = shared.pids()[name]
        os.kill(before, signal.SIGKILL)

        async def back(name: str = name, before: int = before) -> bool:
            try:
                return shared.pids().get(name, before) != before and await shared.works()
            except httpx.TransportError:  # the gateway is down
                return False

        await eventually(back, message=f"{name} is back", timeout_s=START_S)
        assert (await shared.create(f"after {name}")).status_code == HTTPStatus.CREATED
    assert await shared.names() == Counter({f"after {name}" for name in CHILDREN})


async def test_a_replica_that_is_killed_doubles_no_product(shared: Up) -> None:
    """The gateway never sends a create a second time; what it could not deliver is 502, the rest is created once."""
    outcomes: dict[str, int] = {}

    async def create(worker: int) -> None:
        for number in range(60):
            name = f"create {worker}.{number}"
            outcomes[name] = (await shared.create(name)).status_code

    workers = [asyncio.create_task(create(worker)) for worker in range(4)]
    for name in ("api-1", "api-2"):
        count = len(outcomes)
        await eventually(lambda count=count: len(outcomes) > count + 20, message="creates go on")  # type: ignore[misc]
        os.kill(shared.pids()[name], signal.SIGKILL)
    await asyncio.gather(*workers)

    names = await shared.names()
    assert set(outcomes.values()) <= {HTTPStatus.CREATED, HTTPStatus.BAD_GATEWAY}
    assert {names[name] for name, status in outcomes.items() if status == HTTPStatus.CREATED} == {1}
    assert max(names.values()) == 1
    assert Counter(outcomes.values())[HTTPStatus.CREATED] > 200


async def test_no_child_outlives_it_and_the_data_stay(tmp_path: Path) -> None:
    """However it ends, no process is left, and the next run has the products.

    SIGTERM and SIGINT are an orderly end: exit code 0, no process id left behind. SIGKILL leaves it no chance, and the
    process ids that it leaves behind do not stop the next run.
    """
    kept: list[str] = []
    for number, exit_code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
        async with Up.started(tmp_path / "data", "--replicas", "1") as up:
            assert sorted(await up.names()) == kept
            kept.append(f"kept {len(kept)}")
            await up.create(kept[-1])
            children = up.pids()
            assert sorted(children) == ["api-1", "emitter-1", "gateway", "mongod"]
            assert await up.stop(number) == exit_code
            await all_end(children)
            assert up.pids() == (children if number == signal.SIGKILL else {})
