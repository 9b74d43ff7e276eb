"""An emitter is added to others that are full."""

import time
from collections.abc import Collection
from typing import NamedTuple

from tests.scale.clients import Clients
from tests.scale.figure import Figure, at_most, none, told
from tests.scale.load import Load
from tests.scale.rolling import MOST_OVER_MEAN, paced
from tests.system import System
from tests.waiting import eventually

BALANCED_WITHIN_S = 60.0
_TOLERANCE = 0.15


class Options(NamedTuple):
    """How many clients, changes a second, and how uneven reconnects may be."""

    clients: int = 2_000
    rate: float = 10
    most_over_mean: float = MOST_OVER_MEAN


async def run(system: System, options: Options) -> list[Figure]:
    """Have the last emitter come when the others have all clients."""
    emitters = len(system.emitter_urls)
    added = max(system.emitter_urls)
    await system.stop(added)
    async with Clients.connected(system.url, options.clients) as clients, Load.on(system, options.rate) as load:
        before = clients.nodes()
        system.start(added)
        began = time.monotonic()
        await eventually(
            lambda: is_balanced(clients.nodes().values(), options.clients, emitters),
            message="the emitters are balanced",
            timeout_s=2 * BALANCED_WITHIN_S,
        )
        balanced = time.monotonic()
        last = await load.stop()
        after = clients.nodes().values()
        return [
            none("clients on it before", before[added]),
            at_most("balanced after", balanced - began, BALANCED_WITHIN_S, "s"),
            told("least on one", min(after)),
            told("most on one", max(after)),
            *paced(clients, options.most_over_mean),
            *await clients.judged(last),
        ]


def is_balanced(counts: Collection[int], clients: int, emitters: int) -> bool:
    """Whether each of so many emitters has its part of all clients, more or less."""
    mean = clients / emitters
    tolerated = round(mean * (1 - _TOLERANCE)), round(mean * (1 + _TOLERANCE))
    return len(counts) == emitters and tolerated[0] <= min(counts) and max(counts) <= tolerated[1]
