import asyncio
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from deploy.local.gateway import INSTALL_HINT
from deploy.local.ports import HOST, free_ports
from tests.listening import Listener
from tests.tools import require
from tests.up import SECRET, START_S, Up, all_end, storecast
from tests.waiting import eventually

NO_MONGODB = "mongodb://127.0.0.1:1/storecast?replicaSet=rs0"
CHILDREN = ["mongod", "emitter-1", "api-1", "api-2", "api-3", "gateway"]


async def refused(folder: Path, port: int, *options: str, **environment: str) -> str:
    """Run a `storecast up` that cannot start; return its one line."""
    process = await storecast(folder, port, *options, **environment)
    _, errors = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 2
    [line] = errors.decode().splitlines()
    return line


def proc(pid: int, file: str) -> bytes:
    """Return what the kernel tells of a process."""
    return Path(f"/proc/{pid}/{file}").read_bytes()


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
            except httpx.TransportError:  # the gateway is down, or a replica
                return False

        await eventually(back, message=f"{name} is back", timeout_s=START_S)
        assert (await shared.create(f"after {name}")).status_code == HTTPStatus.CREATED
    assert await shared.names() == Counter({f"after {name}" for name in CHILDREN})


async def test_a_replica_that_is_killed_doubles_no_product(shared: Up) -> None:
    """The gateway never sends a create a second time; what it could not deliver is 502, the rest is created once.

    A replica may die between the head and the body of an answer: nobody knows then, but the product is there once. What
    is read while one replica is left is answered.
    """
    outcomes: dict[str, int | None] = {}

    async def create(worker: int) -> None:
        for number in range(60):
            name = f"create {worker}.{number}"
            try:
                outcomes[name] = (await shared.create(name)).status_code
            except httpx.RemoteProtocolError:
                outcomes[name] = None

    workers = [asyncio.create_task(create(worker)) for worker in range(4)]
    for name in ("api-1", "api-2"):
        count = len(outcomes)
        await eventually(lambda count=count: len(outcomes) > count + 20, message="creates go on")  # type: ignore[misc]
        os.kill(shared.pids()[name], signal.SIGKILL)
    await asyncio.gather(*workers)

    names = await shared.names()
    assert set(outcomes.values()) <= {HTTPStatus.CREATED, HTTPStatus.BAD_GATEWAY, None}
    assert {names[name] for name, status in outcomes.items() if status == HTTPStatus.CREATED} == {1}
    assert max(names.values()) == 1
    assert Counter(outcomes.values())[HTTPStatus.CREATED] > 200


async def test_three_members_survive_the_primary(tmp_path: Path) -> None:
    """Its killed primary costs a set of three nothing: the next product is heard, and the member is back in the set."""
    async with (
        Up.started(tmp_path / "data", "--mongo-members", "3", "--replicas", "1") as up,
        Listener(up.origin) as listener,
    ):
        assert [name for name in sorted(up.pids()) if "mongod" in name] == ["mongod-1", "mongod-2", "mongod-3"]
        await up.create("before")
        before = up.pids()
        primary = up.primary()
        os.kill(before[primary], signal.SIGKILL)

        async def created() -> bool:
            return (await up.create("after")).status_code == HTTPStatus.CREATED

        await eventually(created, message="a create is served again", timeout_s=START_S)
        assert [event.payload["name"] for event in await listener.client.heard(2)][:2] == ["before", "after"]
        await eventually(lambda: up.pids().get(primary, before[primary]) != before[primary], message="it is back")
        await eventually(up.whole, message=f"{primary} takes part again", timeout_s=START_S)
        assert await up.stop(signal.SIGTERM) == 0


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
