"""Redis hangs, or dies and comes back empty, under load."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import httpx

from tests.scale.clients import Clients
from tests.scale.figure import Figure, at_most, told
from tests.scale.load import Load
from tests.system import System
from tests.waiting import eventually

RED_WITHIN_S = 4.0
"""An emitter is deaf three seconds after it has last heard itself; it is asked now and then."""
CAUGHT_UP_WITHIN_S = 3.0
_WAIT_S = 60
_WARM_UP_S = 1
_LOOK_EVERY_S = 0.05
_REDIS = "redis"


class Options(NamedTuple):
    """How many clients, changes a second, seconds without Redis, and how many times longer all may take."""

    clients: int = 12
    rate: float = 160  # of five changes three are creates
    seconds: float = 30
    slower: float = 1


class _Probes:
    """When each emitter turned red, and green again, and how far each is."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.red: dict[str, float] = {}
        self.green: dict[str, float] = {}
        self.positions: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def looking(cls, system: System) -> AsyncIterator["_Probes"]:
        probes = cls(system)
        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(probes._look(*emitter)) for emitter in system.emitter_urls.items()]
            try:
                yield probes
            finally:
                for look in looks:
                    look.cancel()

    async def _look(self, name: str, url: str) -> None:
        while True:
            answer = await self._system.http.get(f"{url}/readyz")
            self.positions[name] = answer.json()["position"] or 0
            if answer.status_code != httpx.codes.OK:
                self.red.setdefault(name, time.monotonic())
            elif name in self.red:
                self.green.setdefault(name, time.monotonic())
            await asyncio.sleep(_LOOK_EVERY_S)


async def run(system: System, options: Options, how: Literal["stopped", "emptied"]) -> list[Figure]:
    """Have Redis away for so long, and see how all come back."""
    redis = system.processes[_REDIS]
    async with (
        Clients.connected(system.url, options.clients) as clients,
        _Probes.looking(system) as probes,
        Load.on(system, options.rate) as load,
    ):
        await asyncio.sleep(_WARM_UP_S)  # the load as such
        began = time.monotonic()
        if how == "stopped":
            redis.send(signal.SIGSTOP)
        else:
            await redis.kill()
        try:
            await asyncio.sleep(options.seconds)  # the fault itself, nothing that is waited for
            await eventually(lambda: len(probes.red) == len(system.emitter_urls), message="all emitters are red")
        finally:
            redis.send(signal.SIGCONT)
        if how == "emptied":
            redis.start()
        back, missed = time.monotonic(), load.last
        await eventually(
            lambda: min(probes.positions.values()) >= missed, message="all emitters have all", timeout_s=_WAIT_S
        )
        filled = time.monotonic()
        await clients.heard(missed, _WAIT_S)
        caught_up = time.monotonic()
        await eventually(lambda: len(probes.green) == len(system.emitter_urls), message="all are green again")
        last = await load.stop()
        return [
            at_most("caught up after", caught_up - back, CAUGHT_UP_WITHIN_S * options.slower, "s"),
            told("of which the emitters took", filled - back, "s"),
            at_most("red after", max(probes.red.values()) - began, RED_WITHIN_S * options.slower, "s"),
            at_most("green after", max(probes.green.values()) - back, CAUGHT_UP_WITHIN_S * options.slower, "s"),
            *await clients.judged(last),
        ]
