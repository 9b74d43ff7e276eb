"""The services as they are really started: `python -m api_service` and `python -m ws_service`."""

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from websockets.frames import Frame, Opcode

from deploy.local.child import Program
from deploy.local.ports import free_ports
from tests.integration.drafts import DRAFT
from tests.mongod import Mongod, unused_database
from tests.processes import ROOT, Process, Processes, environment
from tests.waiting import eventually, quick

API, EMITTER = "api_service", "ws_service"
PREFIX = {API: "storecast api: ", EMITTER: "storecast emitter: "}
SECRET = "hunter2-hunter2-hunter2"  # what must never be printed
OFF = {"STORECAST_AUTH": "off"}
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: emitter\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MONGO_AWAY = "mongodb://user:hunter2@127.0.0.1:1/shop?replicaSet=rs0"


class Ended(NamedTuple):
    """A process that has ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


async def _run(service: str, settings: dict[str, str]) -> Ended:
    """Run a service to its end."""
    given = {"AUTH": "off", "EMITTER_SECRET": SECRET, "STARTUP_TIMEOUT_MS": "300", "MONGO_URL": MONGO_AWAY, **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", service),
        cwd=ROOT,
        env=environment({f"STORECAST_{name}": value for name, value in given.items()}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


PROBLEMS = {
    # service, settings, what the line says
    "a port in use": (API, {}, "STORECAST_PORT: cannot listen on 127.0.0.1:{port}: Address already in use"),
    "MongoDB away": (API, {"PORT": "0"}, "STORECAST_MONGO_URL: MongoDB cannot be used at 127.0.0.1:1"),
    "a malformed URL": (API, {"PORT": "0", "MONGO_URL": "mongodb://u:p/hunter2@h"}, "STORECAST_MONGO_URL: "),
    "no secret": (API, {"EMITTER_SECRET": ""}, "STORECAST_EMITTER_SECRET: must have at least 16 characters"),
    "a port in use, emitter": (EMITTER, {}, "STORECAST_PORT: cannot listen on 127.0.0.1:{port}: Address already"),
    "a short secret, emitter": (EMITTER, {"EMITTER_SECRET": "hunter2"}, "must have at least 16 characters"),
    "a malformed URL, emitter": (EMITTER, {"PORT": "0", "REDIS_URL": "redis://h:hunter2"}, "STORECAST_REDIS_URL: give"),
}


@pytest.fixture(scope="module")
async def ended() -> dict[str, tuple[Ended, str, str]]:
    """How each start ended, and how its line should begin and what it should say. All at once: starts take long."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with asyncio.timeout(100):
            results = await asyncio.gather(
                *(_run(service, {"PORT": port, **settings}) for service, settings, _ in PROBLEMS.values())
            )
    return {
        name: (result, PREFIX[service], said.format(port=port))
        for (name, (service, _, said)), result in zip(PROBLEMS.items(), results, strict=True)
    }


@pytest.mark.parametrize("name", PROBLEMS)
async def test_what_the_operator_must_change_is_one_line(ended: dict[str, tuple[Ended, str, str]], name: str) -> None:
    """Exit code 2 and one line on standard error, which names the setting; no traceback, no secret."""
    (code, out, err), begins, says = ended[name]

    assert (code, out) == (2, ""), err
    [line] = err.splitlines()
    assert line.startswith(begins)
    assert says in line
    assert "hunter2" not in line


@asynccontextmanager
async def _running(service: str, directory: Path, **settings: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """Run a service with the most talkative log; it answers."""
    [port] = free_ports(1)
    own = {"EMITTER_SECRET": SECRET, "PORT": str(port), "INSTANCE": "one-of-many", "LOG_LEVEL": "debug"}
    given = {"AUTH": "off", **own, **settings}
    program = Program(
        name=service,
        address=f"http://127.0.0.1:{port}",
        command=(sys.executable, "-m", service),
        environment={f"STORECAST_{name}": value for name, value in given.items()},
        stop_seconds=20,
    )
    with Processes([program], directory) as processes:
        process = processes[service]
        process.start()
        async with httpx.AsyncClient(base_url=program.address, trust_env=False, timeout=30) as http:

            async def alive() -> bool:
                assert process.running, process.tail()
                try:
                    return (await http.get("/livez")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(alive, message=f"{service} answers", timeout_s=60)
            yield process, http


@pytest.fixture(scope="module")
async def api(
    mongod: Mongod, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """A replica of the product API; the tests below use it one after the other, and the last one ends it."""
    database = unused_database()
    async with _running(API, tmp_path_factory.mktemp("api"), MONGO_URL=mongod.url(database)) as running:
        yield running
    await mongod.drop(database)


async def test_every_answer_says_who_made_it(api: tuple[Process, httpx.AsyncClient]) -> None:
    """Also those that no code of ours makes, and those to what is refused unread."""
    _, http = api
    answers = [
        await http.get("/products"),
        await http.post("/products", json=DRAFT),
        await http.post("/products", content=b"x" * 1024 * 1024, headers={"Content-Type": "application/json"}),
        await http.get("/nowhere"),
        await http.put("/products"),
        await http.get("/livez"),
    ]

    assert [answer.status_code for answer in answers] == [200, 201, 413, 404, 405, 200]
    assert {answer.headers["X-Served-By"] for answer in answers} == {"one-of-many"}
    assert all("Server" not in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00", b"NONSENSE\r\n\r\n", b"POST /products HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
async def test_broken_http_harms_nobody_else(api: tuple[Process, httpx.AsyncClient], nonsense: bytes) -> None:
    """Bytes that are no request are answered with 400 or a closed connection, and the process goes on."""
    process, http = api
    reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
    writer.write(nonsense)
    writer.write_eof()
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert (await http.get("/livez")).status_code == 200
    assert "Traceback" not in process.log.read_text()


async def test_a_replica_that_serves_looks_for_garbage(api: tuple[Process, httpx.AsyncClient]) -> None:
    """While it starts it does not, as nothing becomes garbage; should it stay so, its memory would grow."""
    await _looks_for_garbage(api[1])


async def test_sigterm_is_no_failure_of_the_api(api: tuple[Process, httpx.AsyncClient]) -> None:
    """It ends with 0, without a traceback; neither secret nor password was ever printed."""
    process, _ = api

    _assert_clean(await process.stop(), process)


async def test_a_leader_ends_while_mongodb_hangs(tmp_path: Path) -> None:
    """It cannot release the lease, which runs out by itself: nobody waits for that as long as for a call."""
    async with (
        Mongod.running(tmp_path) as mongod,
        _running(API, tmp_path, MONGO_URL=mongod.url("hangs"), DATABASE_TIMEOUT_MS="60000") as (process, http),
    ):
        await eventually(lambda: _leads(http), message="the replica leads")
        mongod.process.send(signal.SIGSTOP)
        try:
            # It is gone after 3 s. A call would be given up after 60, which is longer than it is waited for.
            _assert_clean(await process.stop(), process)
        finally:
            mongod.process.send(signal.SIGCONT)


async def _leads(http: httpx.AsyncClient) -> bool:
    return bool((await http.get("/readyz")).json().get("leader") == "one-of-many")


async def _looks_for_garbage(http: httpx.AsyncClient) -> None:
    async def looks() -> float:
        metrics = (await http.get("/metrics")).text
        [count] = re.findall(r'python_gc_collections_total\{generation="0"\} (\S+)', metrics)
        return float(count)

    before = await looks()

    async def has_looked() -> bool:
        return await looks() > before

    await eventually(has_looked, message="garbage is looked for")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_no_failure_of_the_emitter(number: signal.Signals, tmp_path: Path) -> None:
    """It ends with 0, without a traceback; the secret was never printed, also not by a call that has it wrong.

    Until then it looks for garbage.
    """
    async with _running(EMITTER, tmp_path) as (process, http):
        await _looks_for_garbage(http)
        refused = await http.get("/events/position", headers={"Authorization": "Bearer hunter2-wrong"})
        process.send(number)
        code = await process.ended()

    assert refused.status_code == 401
    _assert_clean(code, process)


def _assert_clean(code: int, process: Process) -> None:
    printed = process.log.read_text()
    assert code == 0, printed
    assert "Traceback" not in printed
    assert "hunter2" not in printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_emitter_ends_in_order_whatever_its_clients_do(number: signal.Signals) -> None:
    """A poll that waits and a websocket that is being closed cost it neither time nor its exit code."""
    # Each time-out that it could wait for is 3 s.
    await quick(lambda: _ended_with_clients(number), under_s=2.5, message="it ends")


async def _ended_with_clients(number: signal.Signals) -> float:
    """Run an emitter, end it by a signal while it has clients that wait, and return how long that took."""
    [port] = free_ports(1)
    environ = {
        "STORECAST_AUTH": "off",
        "STORECAST_EMITTER_SECRET": SECRET,
        "STORECAST_PORT": str(port),
        "STORECAST_HANDOVER_TIMEOUT_MS": "100",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", EMITTER), cwd=ROOT, env=environment(environ), stderr=asyncio.subprocess.PIPE
    )
    path = "/websocket-service/?EIO=4&transport="
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:

        async def alive() -> bool:
            try:
                return (await http.get("/livez")).status_code == HTTPStatus.OK
            except httpx.HTTPError:
                return False

        await eventually(alive, message="the emitter answers", timeout_s=30)
        opened = json.loads((await http.get(f"{path}polling")).text[1:])
        polling = asyncio.create_task(http.get(f"{path}polling&sid={opened['sid']}"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = UPGRADE.format(path=f"{path}websocket")
        writer.write(request.encode() + Frame(Opcode.TEXT, b"9").serialize(mask=True))
        await reader.readuntil(bytes([0x88, 0]))  # the emitter's close frame, which is never answered
        process.send_signal(number)
        begun = asyncio.get_running_loop().time()
        _, err = await process.communicate()
        took_s = asyncio.get_running_loop().time() - begun
        assert process.returncode == 0
        assert (await polling).text == "1"
        assert b"Traceback" not in err
        assert b'"exception"' not in err
        writer.close()
        return took_s


async def test_an_emitter_that_is_stopped_while_it_starts_ends_in_order() -> None:
    """Its port is open before its imports are done; a signal that comes then ends it without a traceback."""
    [port] = free_ports(1)
    environ = OFF | {"STORECAST_EMITTER_SECRET": SECRET, "STORECAST_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", EMITTER), cwd=ROOT, env=environment(environ), stderr=asyncio.subprocess.PIPE
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(listens, message="the port is open", timeout_s=30)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in err
