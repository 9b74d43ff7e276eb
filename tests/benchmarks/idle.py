"""What it costs to have clients that nobody has anything to tell."""

import asyncio

from tests.benchmarks import servers
from tests.benchmarks.figures import Measure
from tests.benchmarks.load import Load
from tests.benchmarks.run import Run

PART = "idle"
_US = 1e6
_MINUTE_S = 60


async def measure(run: Run) -> None:
    """Measure all servers, once and at the same time: they do next to nothing. The bare loop sends no pings."""
    names = [name for name in run.names if name != servers.BARE]
    run.tell(f"{PART}, for {run.scale.idle_s:g} s: {', '.join(names)}")
    for name, figures in zip(names, await asyncio.gather(*(_measure(run, name) for name in names)), strict=True):
        run.figures.add(name, figures)


async def _measure(run: Run, name: str) -> dict[Measure, float]:
    scale = run.scale
    async with servers.running(name, scale.idle_ping_interval_ms) as server, Load.on(server) as load:
        await load.connect(scale.many)
        # Let those who come later have what they need of the machine, and the pings find their pace.
        await load.idle(scale.idle_ping_interval_ms / 1e3)
        cpu_s = server.cpu_s
        pings = await load.idle(scale.idle_s)
        cpu_s = server.cpu_s - cpu_s
    table = f"{scale.many:,} idle connections, a ping each {scale.idle_ping_interval_ms / 1e3:g} s"
    return {
        Measure(table, "server CPU for each minute", "s"): cpu_s / scale.idle_s * _MINUTE_S,
        Measure(table, "server CPU for each ping", "us"): cpu_s / max(1, pings) * _US,
    }
