"""What it costs to take a connection, and to have it."""

import asyncio

from tests.benchmarks import servers
from tests.benchmarks.fanout import WARM_UP_CLIENTS
from tests.benchmarks.figures import Measure
from tests.benchmarks.load import Load
from tests.benchmarks.run import Run

PART = "connections"
_US = 1e6
_KB = 1e3


async def measure(run: Run) -> None:
    """Measure one server after the other, in rounds."""
    for number in range(run.scale.rounds):
        for name in run.names:
            run.tell(f"round {number + 1} of {run.scale.rounds}, {PART}: {name}")
            run.figures.add(name, await _measure(run, name))


async def _measure(run: Run, name: str) -> dict[Measure, float]:
    async with servers.running(name) as server, Load.on(server) as load:
        # Nothing is posted: memory that a burst has used would be used again, and be missing in the figure.
        await load.connect(WARM_UP_CLIENTS)
        await load.drop()
        await asyncio.sleep(run.scale.settle_s)
        memory, cpu_s = server.memory_bytes, server.cpu_s
        made = await load.connect(run.scale.many)
        cpu_s = server.cpu_s - cpu_s
        await asyncio.sleep(run.scale.settle_s)
        memory = server.memory_bytes - memory
    table = f"{made.clients:,} connections"
    return {
        Measure(table, "server CPU for each connection made", "us", plotted=True): cpu_s / made.clients * _US,
        Measure(table, "connections made", "/s"): made.clients / made.seconds,
        Measure(table, "memory for each connection", "KB", plotted=True): memory / made.clients / _KB,
        Measure(table, "load generator's CPU", "%", compared=False): made.cpu_s / made.seconds * 100,
    }
