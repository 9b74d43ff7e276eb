"""How one process does with twice the clients."""

from tests.benchmarks import servers, workload
from tests.benchmarks.fanout import warm_up
from tests.benchmarks.figures import Measure, percentile
from tests.benchmarks.load import Load
from tests.benchmarks.run import Run

PART = "capacity"
_LEAST_POSTS = 5
_MS = 1e3
_MB = 1e6


async def measure(run: Run) -> None:
    """Measure those that can have so many, in rounds."""
    for number in range(run.scale.rounds):
        for name in run.names:
            if name in (servers.STORECAST, servers.NODE):
                run.tell(f"round {number + 1} of {run.scale.rounds}, {PART}: {name}")
                run.figures.add(name, await _measure(run, name))


async def _measure(run: Run, name: str) -> dict[Measure, float]:
    async with servers.running(name) as server, Load.on(server) as load:
        await warm_up(load)
        made = await load.connect(run.scale.most)
        await load.broadcast(workload.EVENT, least=1, seconds=0)
        result = await load.broadcast(workload.EVENT, least=_LEAST_POSTS, seconds=2 * run.scale.seconds)
        memory = server.memory_bytes
    table = f"{made.clients:,} clients on one process"
    return {
        Measure(table, "from POST to the last client, p50", "ms"): percentile(result.last_s, 50) * _MS,
        Measure(table, "from POST to the last client, p99", "ms"): percentile(result.last_s, 99) * _MS,
        Measure(table, "memory of the process", "MB"): memory / _MB,
    }
