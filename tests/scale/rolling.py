"""Every emitter is drained and started again, one after the other, under load."""

import asyncio
import time
from functools import partial
from typing import NamedTuple

import httpx

from tests.scale.clients import Clients
from tests.scale.figure import Figure, at_most, told
from tests.scale.load import Load
from tests.scale.pace import most_over_mean, per_second
from tests.system import System
from tests.waiting import eventually

MOST_OVER_MEAN = 2.5
"""What the fullest second may have of the reconnects of a mean one."""
_CALM_WITHIN_S = 90
_READY_WITHIN_S = 30


class Options(NamedTuple):
    """How many clients, changes a second, and seconds without a reconnect until all are taken to be settled.

    Of a few clients it is chance how even their reconnects are.
    """

    clients: int = 2_000
    rate: float = 20
    calm_s: float = 8
    most_over_mean: float = MOST_OVER_MEAN


async def run(system: System, options: Options) -> list[Figure]:
    """Restart all emitters in turn."""
    async with Clients.connected(system.url, options.clients) as clients, Load.on(system, options.rate) as load:
        for name, url in system.emitter_urls.items():
            await system.restart(name)
            await eventually(partial(_is_ready, system, url), message=f"{name} is ready", timeout_s=_READY_WITHIN_S)
        await calm(clients, options.calm_s)
        last = await load.stop()
        return [*await clients.judged(last), *paced(clients, options.most_over_mean)]


async def calm(clients: Clients, seconds: float) -> None:
    """Wait until all clients are connected, and nobody has come again for so long."""
    deadline = time.monotonic() + _CALM_WITHIN_S
    before = None
    while (now := (len(clients.reconnected_ms), len(clients.places))) != before or len(clients.places) < clients.count:
        assert time.monotonic() < deadline, f"{len(clients.places)} of {clients.count} clients are connected"
        before = now
        await asyncio.sleep(seconds)


def paced(clients: Clients, limit: float) -> list[Figure]:
    """Say how evenly clients came again."""
    counts = per_second(clients.reconnected_ms)
    return [
        at_most("the most in a second is the mean times", most_over_mean(counts), limit),
        told("most", max(counts, default=0), "/s"),
        told("reconnects", sum(counts), f"in {len(counts)} s: {' '.join(map(str, counts))}"),
    ]


async def _is_ready(system: System, url: str) -> bool:
    try:
        return (await system.http.get(f"{url}/readyz")).is_success
    except httpx.TransportError:  # it does not listen yet
        return False
