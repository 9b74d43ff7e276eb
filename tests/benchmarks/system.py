"""The whole way of a product, from the request to those who listen, against the obvious design in Node.

The Node design makes no promise: an event is lost where the emitter, or the API before it called, dies.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
from pymongo import MongoClient

from deploy.local import services
from deploy.local.child import Program
from deploy.local.ports import free_ports
from deploy.local.settings import LocalSettings
from tests.benchmarks import servers, usage
from tests.benchmarks.asking import Asked
from tests.benchmarks.figures import Measure
from tests.benchmarks.run import Run
from tests.benchmarks.servers import Server, peer_environment
from tests.mongod import Mongod, unused_database
from tests.tools import require
from tests.waiting import eventually

PART = "system"
REPLICAS = 3
SUBSCRIBERS = 100
CALLERS = 16
LOW_RATE = 50
_WARM_UP_SHARE = 0.3
_MS = 1e3

STORECAST = "Storecast: API, relay, emitter"
NODE = "Node: Express, Socket.IO"


@dataclass(frozen=True)
class Design:
    """A running system: who takes the products, who tells of them, and the database that both designs use."""

    name: str
    replicas: Sequence[Server]
    emitter: Server
    mongod_pid: int

    def used(self) -> "Used":
        """Return the CPU time that each of its parts has used."""
        return Used(
            sum(replica.cpu_s for replica in self.replicas), self.emitter.cpu_s, usage.cpu_seconds(self.mongod_pid)
        )


class Used(NamedTuple):
    """CPU seconds."""

    api: float
    emitter: float
    mongod: float

    def since(self, before: "Used") -> "Used":
        """Return what was used after another moment."""
        return Used(*(now - then for now, then in zip(self, before, strict=True)))


class Created(NamedTuple):
    """What was created: `seconds` until the last was answered, and how long each took since it was due.

    `behind_s` is how long after the last answer the last product was heard of: whether the events kept up.
    """

    creates: int
    seconds: float
    behind_s: float
    answered_p50_s: float
    heard_p50_s: float
    heard_p99_s: float
    cpu_s: float


class Creations:
    """The load of one design."""

    def __init__(self, ask: Asked) -> None:
        self._ask = ask

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, design: Design) -> AsyncIterator[Self]:
        """Subscribe to the emitter and connect to the replicas."""
        ports = ",".join(str(replica.port) for replica in design.replicas)
        environment = {**peer_environment(design.emitter.port, design.emitter.settings), "API_PORTS": ports}
        async with Asked.running("creating", environment) as ask:
            await ask("subscribe", count=SUBSCRIBERS, callers=CALLERS)
            yield cls(ask)

    async def create(self, seconds: float, rate: float | None = None) -> Created:
        """Create for so long at a rate, or as many as can be."""
        return Created(**await self._ask("create", seconds=seconds, rate=rate))


async def measure(run: Run) -> None:
    """Measure one design after the other, in rounds, on the same MongoDB."""
    with tempfile.TemporaryDirectory() as directory:
        async with Mongod.running(Path(directory)) as mongod:
            for number in range(run.scale.system_rounds):
                for name, design in DESIGNS.items():
                    run.tell(f"round {number + 1} of {run.scale.system_rounds}, {PART}: {name}")
                    async with running(name, design, mongod) as system:
                        run.figures.add(name, await _measure(run, system))


async def _measure(run: Run, design: Design) -> dict[Measure, float]:
    seconds = run.scale.system_s
    async with Creations.on(design) as creations:
        await creations.create(seconds * _WARM_UP_SHARE)
        before = design.used()
        most = await creations.create(seconds)
        used = design.used().since(before)
        most_per_s = most.creates / most.seconds
        paced = {
            f"at {LOW_RATE} creates a second": await creations.create(seconds, LOW_RATE),
            "at half of the most": await creations.create(seconds, most_per_s / 2),
        }
    ours_s, all_s = used.api + used.emitter, sum(used)
    table = f"{REPLICAS} API processes, 1 emitter, {SUBSCRIBERS} subscribers, {CALLERS} callers"
    figures = {
        Measure(table, "creates, at most", "/s"): most_per_s,
        Measure(table, "creates for each CPU second, without MongoDB's", ""): most.creates / ours_s,
        Measure(table, "creates for each CPU second, with MongoDB's", "", plotted=True): most.creates / all_s,
        Measure(table, "CPU for each create: API processes (and relay)", "ms"): used.api / most.creates * _MS,
        Measure(table, "CPU for each create: emitter", "ms"): used.emitter / most.creates * _MS,
        Measure(table, "CPU for each create: MongoDB", "ms"): used.mongod / most.creates * _MS,
        Measure(table, "the last was heard after the last answer by", "ms"): most.behind_s * _MS,
        Measure(table, "load generator's CPU", "%", compared=False): most.cpu_s / most.seconds * 100,
    }
    for pace, created in paced.items():
        figures[Measure(table, f"create to answer {pace}, p50", "ms")] = created.answered_p50_s * _MS
        figures[Measure(table, f"create to heard {pace}, p50", "ms", plotted=True)] = created.heard_p50_s * _MS
        figures[Measure(table, f"create to heard {pace}, p99", "ms")] = created.heard_p99_s * _MS
    return figures


@contextlib.asynccontextmanager
async def running(name: str, programs: "Programs", mongod: Mongod) -> AsyncIterator[Design]:
    """Run a design on a database of its own; an event gets through."""
    database = unused_database()
    settings = LocalSettings()
    ports = free_ports(1 + REPLICAS)
    with tempfile.TemporaryDirectory() as folder:
        async with contextlib.AsyncExitStack() as stack:
            start = partial(_start, stack, name, settings, Path(folder))
            # All at the same time: each takes seconds to import what it needs.
            emitter, *replicas = await asyncio.gather(*map(start, programs(settings, mongod.url(database), ports)))
            await _ready([*replicas, emitter])
            yield Design(name, replicas, emitter, _pid(mongod))
        await mongod.drop(database)


async def _start(
    stack: contextlib.AsyncExitStack, name: str, settings: LocalSettings, folder: Path, program: Program
) -> Server:
    return await stack.enter_async_context(servers.started(Server(name, program, settings, folder)))


async def _ready(processes: Sequence[Server]) -> None:
    """Wait until each is of use; the peers, which have no readiness, are so when they listen."""
    async with httpx.AsyncClient(trust_env=False) as http:

        async def ready() -> bool:
            answers = [await http.get(f"{process.program.address}/readyz") for process in processes]
            return all(answer.is_success or answer.status_code == httpx.codes.NOT_FOUND for answer in answers)

        await eventually(ready, message="all are ready", timeout_s=servers.READY_TIMEOUT_S)


def _pid(mongod: Mongod) -> int:
    client: MongoClient[dict[str, Any]] = MongoClient(mongod.url("admin"))
    with client:
        return int(client.admin.command("serverStatus")["pid"])


Programs = Callable[[LocalSettings, str, list[int]], list[Program]]


def _storecast(settings: LocalSettings, mongo_url: str, ports: list[int]) -> list[Program]:
    emitter_port, *api_ports = ports
    others = services.Addresses(mongo_url, services.address_of(emitter_port), public_ws_url="")
    replicas = [services.api_replica(number, port, settings, others) for number, port in enumerate(api_ports, 1)]
    return [servers.storecast(emitter_port, settings), *replicas]


def _node(settings: LocalSettings, mongo_url: str, ports: list[int]) -> list[Program]:
    emitter_port, *api_ports = ports
    emitter = servers.node(emitter_port, settings)
    others = {"MONGO_URL": mongo_url, "EMITTER_URL": emitter.address}
    command = (require("node", "install Node.js"), str(servers.PEERS / "api.mjs"))
    replicas = [
        Program(f"api-{port}", services.address_of(port), command, {**peer_environment(port, settings), **others})
        for port in api_ports
    ]
    return [emitter, *replicas]


DESIGNS: dict[str, Programs] = {STORECAST: _storecast, NODE: _node}
