"""The two servers that are compared, each as a process of its own: our emitter and the reference."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, Self

import httpx

from deploy.local.child import Program
from deploy.local.ports import free_ports
from shared.emitter_api import EVENTS_PATH
from tests.events import closing
from tests.processes import Processes
from tests.tools import require
from tests.waiting import eventually

ALLOWED_ORIGIN = "https://shop.example"
MAX_PAYLOAD_BYTES = 20_000

# Several start at a time, on a machine that may be busy.
_START_S = 40

_SECRET = "a secret of sixteen or more"


class Timing(NamedTuple):
    """How long a server waits for what, in milliseconds."""

    ping_interval: int
    ping_timeout: int
    connect_timeout: int
    upgrade_timeout: int


TIMINGS = {
    # No timer runs out while a script plays.
    "calm": Timing(50_000, 50_000, 45_000, 10_000),
    "brisk": Timing(ping_interval=300, ping_timeout=200, connect_timeout=60_000, upgrade_timeout=10_000),
    "impatient": Timing(ping_interval=50_000, ping_timeout=50_000, connect_timeout=400, upgrade_timeout=400),
}


class Pair(NamedTuple):
    """The ports of two servers with the same settings."""

    ours: int
    reference: int


class Servers:
    """Both servers, with every timing."""

    def __init__(self, pairs: dict[str, Pair], emitters: Processes) -> None:
        self.pairs = pairs
        self.emitters = emitters

    def tracebacks(self) -> list[str]:
        """Return what an emitter logged that it should not have: an error that was not expected."""
        logs = [self.emitters[name].log.read_text() for name in map(_name, TIMINGS)]
        return [line for log in logs for line in log.splitlines() if "Traceback" in line or '"level": "error"' in line]

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, directory: Path) -> AsyncIterator[Self]:
        """Run them until the context ends."""
        ports = dict(zip(TIMINGS, free_ports(len(TIMINGS)), strict=True))
        programs = [_emitter(name, port, TIMINGS[name]) for name, port in ports.items()]
        async with _reference() as reference:
            with Processes(programs, directory) as emitters:
                emitters.start_what_is_down()
                await asyncio.gather(*(_open(port) for port in ports.values()))
                yield cls({name: Pair(port, reference[name]) for name, port in ports.items()}, emitters)


def _name(timing: str) -> str:
    return f"emitter-{timing}"


def _emitter(name: str, port: int, timing: Timing) -> Program:
    settings = {
        "PORT": str(port),
        "INSTANCE": _name(name),
        "AUTH": "off",
        "EMITTER_SECRET": _SECRET,
        # The reference has no limits of this kind.
        "CLIENT_MESSAGES_PER_SECOND": "10000",
        "HANDSHAKES_PER_SECOND": "0",
        "MAX_CONNECTIONS_PER_ADDRESS": "0",
        "ALLOWED_ORIGINS": json.dumps([ALLOWED_ORIGIN]),
        "MAX_PAYLOAD_BYTES": str(MAX_PAYLOAD_BYTES),
        "PING_INTERVAL_MS": str(timing.ping_interval),
        "PING_TIMEOUT_MS": str(timing.ping_timeout),
        "CONNECT_TIMEOUT_MS": str(timing.connect_timeout),
        "UPGRADE_TIMEOUT_MS": str(timing.upgrade_timeout),
    }
    environment = {f"STORECAST_{key}": value for key, value in settings.items()}
    return Program(_name(name), f"http://127.0.0.1:{port}", (sys.executable, "-m", "ws_service"), environment)


async def _open(port: int) -> None:
    """Hand over a history without events, as the relay does, when the emitter listens."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {_SECRET}"}, trust_env=False) as http:

        async def handed_over() -> bool:
            try:
                body = closing(0).model_dump_json()
                answer = await http.post(f"http://127.0.0.1:{port}{EVENTS_PATH}", content=body)
            except httpx.TransportError:
                return False
            # 409: one whose answer was not waited for, while it started, was taken after all.
            return answer.status_code in {HTTPStatus.OK, HTTPStatus.CONFLICT}

        await eventually(handed_over, message="the emitter listens", timeout_s=_START_S)


@contextlib.asynccontextmanager
async def _reference() -> AsyncIterator[dict[str, int]]:
    options = [
        {
            "pingInterval": timing.ping_interval,
            "pingTimeout": timing.ping_timeout,
            "connectTimeout": timing.connect_timeout,
            "upgradeTimeout": timing.upgrade_timeout,
            "maxHttpBufferSize": MAX_PAYLOAD_BYTES,
            "perMessageDeflate": False,
            "cors": {"origin": [ALLOWED_ORIGIN], "credentials": True},
        }
        for timing in TIMINGS.values()
    ]
    process = await asyncio.create_subprocess_exec(
        require("node", "install Node.js"),
        *(Path(__file__).with_name("oracle.mjs"), json.dumps(options)),
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ports = json.loads(await process.stdout.readline())
        yield dict(zip(TIMINGS, ports, strict=True))
    finally:
        process.stdin.close()
        await process.wait()
