"""What it costs an emitter to be one of many: its events come through Redis."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from deploy.local import services
from deploy.local.ports import free_ports
from deploy.local.settings import LocalSettings
from tests.benchmarks import servers, workload
from tests.benchmarks.fanout import warm_up
from tests.benchmarks.figures import Measure, percentile
from tests.benchmarks.load import LOAD_CORE, Load
from tests.benchmarks.run import Run
from tests.benchmarks.servers import SERVER_CORE, STORECAST, Server
from tests.benchmarks.usage import cpu_seconds, on_core
from tests.redis_server import RedisServer

PART = "cluster"
CLUSTERED = "Clustered Storecast"
_FEW = 100
_LEAST_POSTS = 3
_US = 1e6
_MS = 1e3


async def measure(run: Run) -> None:
    """Measure an emitter alone and one of many, in turn."""
    if STORECAST not in run.names:
        return
    for number in range(run.scale.rounds):
        for name in (STORECAST, CLUSTERED):
            run.tell(f"round {number + 1} of {run.scale.rounds}, {PART}: {name}")
            async with AsyncExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                redis = await stack.enter_async_context(_redis(folder)) if name == CLUSTERED else None
                server = await stack.enter_async_context(_emitter(name, folder, redis.url if redis else ""))
                await _measure(run, server, redis, await stack.enter_async_context(Load.on(server)))


async def _measure(run: Run, server: Server, redis: RedisServer | None, load: Load) -> None:
    await warm_up(load)
    for clients in (_FEW, run.scale.few, run.scale.many):
        await load.connect(clients)
        await load.broadcast(workload.EVENT, least=1, seconds=0)
        cpu_s, redis_cpu_s = server.cpu_s, cpu_seconds(redis.pid) if redis else 0
        result = await load.broadcast(workload.EVENT, least=_LEAST_POSTS, seconds=run.scale.seconds)
        table = f"one of many: {clients:,} clients, one event a POST"
        figures = {
            Measure(table, "server CPU for each delivery", "us"): (server.cpu_s - cpu_s) / result.deliveries * _US,
            Measure(table, "from POST to the last client, p50", "ms"): percentile(result.last_s, 50) * _MS,
            Measure(table, "from POST to the last client, p99", "ms"): percentile(result.last_s, 99) * _MS,
        }
        if redis:
            used_us = (cpu_seconds(redis.pid) - redis_cpu_s) * _US
            figures[Measure(table, "Redis' CPU for each event", "us", compared=False)] = used_us / len(result.last_s)
        run.figures.add(server.name, figures)
        await load.drop()


@asynccontextmanager
async def _redis(folder: Path) -> AsyncIterator[RedisServer]:
    with on_core(LOAD_CORE):
        redis = RedisServer(folder)
        redis.start()
    with redis:
        await redis.answers()
        yield redis


@asynccontextmanager
async def _emitter(name: str, folder: Path, redis_url: str) -> AsyncIterator[Server]:
    [port] = free_ports(1)
    settings = LocalSettings()
    program = services.emitter(1, port, settings, page_ports=[], redis_url=redis_url)
    async with servers.started(Server(name, program, settings, folder), core=SERVER_CORE) as server:
        yield server
