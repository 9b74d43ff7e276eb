"""What it costs to tell many clients, and how long the last one waits."""

from tests.benchmarks import servers, workload
from tests.benchmarks.figures import Measure, percentile
from tests.benchmarks.load import Broadcasts, Load
from tests.benchmarks.run import Run
from tests.benchmarks.servers import Server
from tests.benchmarks.workload import Workload

PART = "fanout"
WARM_UP_CLIENTS = 100
_WARM_UP_POSTS = 20
_LEAST_POSTS = 3
_US = 1e6
_MS = 1e3


async def measure(run: Run) -> None:
    """Measure one server after the other, in rounds."""
    for number in range(run.scale.rounds):
        for name in run.names:
            run.tell(f"round {number + 1} of {run.scale.rounds}, {PART}: {name}")
            async with servers.running(name) as server, Load.on(server) as load:
                await _measure(run, server, load)


async def warm_up(load: Load) -> None:
    """Have a server compile and import whatever it does at first use."""
    await load.connect(WARM_UP_CLIENTS)
    for what in workload.WORKLOADS.values():
        await load.broadcast(what, least=max(1, _WARM_UP_POSTS // what.events), seconds=0)
    await load.drop()


async def _measure(run: Run, server: Server, load: Load) -> None:
    await warm_up(load)
    for clients, workloads in (
        (run.scale.many, (workload.EVENT, workload.MESSAGE)),
        (run.scale.few, (workload.EVENT, workload.MESSAGE, workload.BURST_10, workload.BURST_100)),
    ):
        await load.connect(clients)
        for what in workloads:
            await load.broadcast(what, least=1, seconds=0)
            cpu_s = server.cpu_s
            result = await load.broadcast(what, least=_LEAST_POSTS, seconds=run.scale.seconds)
            table = f"{clients:,} clients, {what.name}"
            run.figures.add(server.name, _figures(table, what, result, server.cpu_s - cpu_s))
        await load.drop()


def _figures(table: str, what: Workload, result: Broadcasts, cpu_s: float) -> dict[Measure, float]:
    plotted, burst = what is not workload.MESSAGE, what.events > 1
    many = {Measure(table, "deliveries for each CPU second of the server", "", plotted=True): result.deliveries / cpu_s}
    return {
        Measure(table, "server CPU for each delivery", "us", plotted=plotted and not burst): (
            cpu_s / result.deliveries * _US
        ),
        **(many if burst else {}),
        Measure(table, "deliveries", "/s"): result.deliveries / result.seconds,
        Measure(table, "from POST to the last client, p50", "ms"): percentile(result.last_s, 50) * _MS,
        Measure(table, "from POST to the last client, p99", "ms", plotted=plotted): percentile(result.last_s, 99) * _MS,
        Measure(table, "posts", "", compared=False): len(result.last_s),
        Measure(table, "load generator's CPU", "%", compared=False): result.cpu_s / result.seconds * 100,
    }
