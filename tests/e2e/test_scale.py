"""The short forms of `make scale`: tens of clients, and a few seconds."""

import math
from collections.abc import AsyncIterator

import pytest

from tests.mongod import Mongod, unused_database
from tests.scale import devices, outage, rolling, sse, third
from tests.scale.cluster import cluster
from tests.scale.figure import Figure
from tests.system import System

# Other tests run beside these.
BUSY = 5


@pytest.fixture(scope="module")
async def shared(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Three emitters behind HAProxy; a test takes them as `system`."""
    folder = tmp_path_factory.mktemp("scale")
    async with cluster(folder, mongod.url(unused_database()), drain_seconds=1) as running:
        yield running


@pytest.fixture
async def system(shared: System) -> System:
    """Three emitters of which all are ready."""
    await shared.restore()
    return shared


def broken(figures: list[Figure]) -> list[str]:
    """Return which figures of a run are not as they have to be."""
    return [str(figure) for figure in figures if not figure.holds]


async def test_redis_that_hangs_makes_events_late_and_loses_none(system: System) -> None:
    """Every emitter turns red, and green again; all have caught up soon."""
    assert not broken(
        await outage.run(system, outage.Options(clients=30, rate=25, seconds=4.5, slower=BUSY), "stopped")
    )


async def test_emitters_that_are_drained_one_after_the_other_lose_nothing(system: System) -> None:
    """Stock clients with ten attempts live through it."""
    options = rolling.Options(clients=60, rate=20, calm_s=1, most_over_mean=math.inf)
    assert not broken(await rolling.run(system, options))


async def test_exactly_the_devices_that_were_told_say_so(system: System) -> None:
    """And one that is not connected is named."""
    assert not broken(await devices.run(system, devices.Options(devices=60, told=20, slower=BUSY)))


async def test_an_emitter_that_is_added_gets_its_part(system: System) -> None:
    """Those that are far above the mean send clients away, which come again and have missed nothing."""
    assert not broken(await third.run(system, third.Options(clients=120, most_over_mean=math.inf)))


async def test_curl_that_is_killed_and_started_again_misses_nothing(system: System) -> None:
    """Through the gateway, which leads it to whichever emitter has the fewest clients."""
    assert not broken(await sse.run(system, sse.Options(lives=4, rate=20)))
