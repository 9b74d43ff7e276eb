"""One attack beside honest clients: how long they wait for what they hear, and how much memory the services take."""

import asyncio
import json
import os
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from api_service.settings import Settings as ApiSettings
from deploy.local import tether
from tests.benchmarks.usage import memory_bytes
from tests.processes import ROOT
from tests.scale.figure import Figure, at_most, none, told
from tests.system import System
from tests.waiting import eventually
from ws_service.settings import Settings as EmitterSettings

HONEST = 200
SLOWNESS = "p99 of the honest"
"""The one figure that says something about time, and so about the machine."""

MOST_SLOWER = 3.0
MOST_WAIT_MS = 50.0
MOST_GROWTH_MB = 100.0
"""Of each process while it is attacked."""

MOST_KEPT_MB = 30.0
"""Of each process afterwards: the allocator keeps some of what it had."""

_LIMITS: tuple[str, ...] = ("max_connections_per_address", "handshakes_per_second")

SETTINGS: Mapping[str, Any] = {
    **{name: EmitterSettings.model_fields[name].default for name in _LIMITS},
    "writes_per_second": ApiSettings.model_fields["writes_per_second"].default,
}
"""What services have by themselves, where `storecast up` has no limits."""

_BACK_WITHIN_S = 30.0
_SAMPLE_EACH_S = 0.2
_WARM_UP_S = 2.0
_START_S = 60.0
_MB = 1e6
_MOST_SAID = 1 << 26


class Options(NamedTuple):
    """What is attacked, and for how long: the gateway, or, past it, a service itself."""

    attack: str
    url: str
    seconds: float
    honest: int = HONEST


class _Honest:
    """The honest clients' process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def said(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout_s):
            line = await self._process.stdout.readline()
        assert line, "the honest clients have ended"
        return dict(json.loads(line))

    async def measure(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        return await self.said(seconds + _START_S)


async def run(system: System, options: Options) -> list[Figure]:
    """Measure quietly, attack, and measure again meanwhile."""
    pids = {name: system.processes[name].pid for name in (*system.api_urls, *system.emitter_urls)}
    async with _process("tests.attack.honest", system.url, str(options.honest)) as process:
        honest = _Honest(process)
        await honest.said(_START_S)
        await honest.measure(_WARM_UP_S)
        quiet = await honest.measure(options.seconds)
        before = _memory(pids)
        peak = dict(before)
        async with _process("tests.attack.attacks", options.attack, options.url, str(options.seconds + 2)) as attacker:
            watching = asyncio.create_task(_watch(pids, peak))
            # What is measured is the attack, not its beginning alone: it is at full strength after a moment.
            await asyncio.sleep(1)
            during = await honest.measure(options.seconds)
            assert attacker.stdout is not None
            async with asyncio.timeout(_START_S):
                did = json.loads(await attacker.stdout.readline())
            watching.cancel()
    after = await _comes_back(pids, before)
    p99, quiet_p99 = _p99(during["waits_ms"]), _p99(quiet["waits_ms"])
    return [
        at_most(SLOWNESS, p99, max(MOST_SLOWER * quiet_p99, MOST_WAIT_MS), "ms"),
        told("quiet p99", quiet_p99, "ms"),
        none("not heard", during["missed"]),
        none("refused", during["refused"]),
        none("honest clients cut off", during["lost"]),
        at_most("most memory taken", max(peak[name] - before[name] for name in pids), MOST_GROWTH_MB, "MB"),
        at_most("kept", max(after[name] - before[name] for name in pids), MOST_KEPT_MB, "MB"),
        *(told(f"[{what}]", count) for what, count in sorted(did.items())),
    ]


async def _watch(pids: Mapping[str, int], peak: dict[str, float]) -> None:
    while True:
        await asyncio.sleep(_SAMPLE_EACH_S)
        now = _memory(pids)
        peak.update({name: max(peak[name], now[name]) for name in pids})


async def _comes_back(pids: Mapping[str, int], before: Mapping[str, float]) -> dict[str, float]:
    begun = time.monotonic()
    while True:
        after = _memory(pids)
        is_back = all(after[name] - before[name] <= MOST_KEPT_MB for name in pids)
        if is_back or time.monotonic() - begun > _BACK_WITHIN_S:
            return after
        await asyncio.sleep(_SAMPLE_EACH_S)


def _memory(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: memory_bytes(pid) / _MB for name, pid in pids.items()}


def _p99(waits_ms: list[float]) -> float:
    return statistics.quantiles(waits_ms, n=100)[-1] if len(waits_ms) > 1 else 0.0


@asynccontextmanager
async def _process(module: str, *arguments: str) -> AsyncIterator[Process]:
    # A run that is itself killed leaves nothing behind.
    tethered = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()))
    command = (*tethered, sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=_MOST_SAID)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await eventually(lambda: process.returncode is not None, message=f"{module} ends")
