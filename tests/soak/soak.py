"""Whether the emitter's memory stays where it is while clients come and go."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx

from deploy.local.ports import HOST, free_ports
from deploy.local.settings import LocalSettings
from shared.emitter_api import EVENTS_PATH, MAX_BATCH_EVENTS, Batch
from shared.settings import PREFIX
from tests.benchmarks import servers
from tests.benchmarks.servers import Server
from tests.events import closing, events, history
from tests.soak.visits import Visits

MOST_GROWTH = 0.05
_HISTORY_EVENTS = 2 * MAX_BATCH_EVENTS
_SETTINGS = {
    # Small enough to be full from the beginning: memory that is still being filled is no leak.
    "HISTORY_EVENTS": str(_HISTORY_EVENTS),
    # Soon enough to notice those who vanished.
    "PING_INTERVAL_MS": "2000",
    "PING_TIMEOUT_MS": "10000",
    "LOG_LEVEL": "warning",
}
_SAMPLE_EACH_S = 0.5
_CALM_SHARE = 0.1


class Options(NamedTuple):
    """How long, after a warm-up; how many clients at the same time; how much there is to hear."""

    seconds: float
    warm_up_s: float
    clients: int
    events_per_s: float = 5


class Sample(NamedTuple):
    """The emitter's memory at one time."""

    at_s: float
    memory_bytes: int


class Soaked(NamedTuple):
    """What a run has shown; the samples begin after the warm-up."""

    samples: list[Sample]
    visits: int
    events_heard: int

    @property
    def first_bytes(self) -> float:
        """The memory after the warm-up: the median of the first samples."""
        return statistics.median(sample.memory_bytes for sample in self.samples[: self._calm])

    @property
    def last_bytes(self) -> float:
        """The memory at the end: the median of the last samples."""
        return statistics.median(sample.memory_bytes for sample in self.samples[-self._calm :])

    @property
    def growth(self) -> float:
        """By which share the memory has grown."""
        return self.last_bytes / self.first_bytes - 1

    @property
    def _calm(self) -> int:
        return max(1, int(len(self.samples) * _CALM_SHARE))


async def soak(options: Options, tell: Callable[[Sample], None]) -> Soaked:
    """Run an emitter that is visited for so long; raise what goes wrong with a visit or a post."""
    [port] = free_ports(1)
    settings = LocalSettings()
    program = servers.storecast(port, settings)
    own = {f"{PREFIX}{name}": value for name, value in _SETTINGS.items()}
    program = replace(program, environment={**program.environment, **own})
    with tempfile.TemporaryDirectory() as folder:
        async with servers.started(Server(servers.STORECAST, program, settings, Path(folder))) as server:
            visits = Visits(f"{HOST}:{port}", settings.socket_path)
            samples = await _use(server, visits, options, tell)
    return Soaked(samples, visits.paid, visits.heard)


async def _use(server: Server, visits: Visits, options: Options, tell: Callable[[Sample], None]) -> list[Sample]:
    headers = {"Authorization": f"Bearer {server.settings.emitter_secret.get_secret_value()}"}
    async with httpx.AsyncClient(base_url=server.program.address, headers=headers, trust_env=False) as http:
        await _hand_over(http)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(visits.go_on(visitor)) for visitor in range(options.clients)]
            tasks.append(group.create_task(_keep_posting(http, options.events_per_s)))
            samples = await _samples(server, options, tell)
            for task in tasks:
                task.cancel()
    return samples


async def _samples(server: Server, options: Options, tell: Callable[[Sample], None]) -> list[Sample]:
    await asyncio.sleep(options.warm_up_s)
    samples: list[Sample] = []
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < options.seconds:
        samples.append(Sample(elapsed, server.memory_bytes))
        tell(samples[-1])
        await asyncio.sleep(_SAMPLE_EACH_S)
    return samples


async def _hand_over(http: httpx.AsyncClient) -> None:
    for first in range(1, _HISTORY_EVENTS, MAX_BATCH_EVENTS):
        await _post(http, history(first, first + MAX_BATCH_EVENTS - 1))
    await _post(http, closing(_HISTORY_EVENTS))


async def _keep_posting(http: httpx.AsyncClient, events_per_s: float) -> None:
    seq = _HISTORY_EVENTS
    while True:
        seq += 1
        [event] = events(seq, seq, "products", "category:books", f"product:{seq % MAX_BATCH_EVENTS:024x}")
        await _post(http, Batch(epoch=closing(0).epoch, events=[event]))
        await asyncio.sleep(1 / events_per_s)


async def _post(http: httpx.AsyncClient, batch: Batch) -> None:
    (await http.post(EVENTS_PATH, content=batch.model_dump_json())).raise_for_status()
