import asyncio

import pytest

from shared.serving.rates import local
from shared.serving.rates.local import WINDOW_S, LocalRate
from shared.serving.rates.rate import Unlimited, rate
from tests.waiting import eventually


async def _permitted(counted: LocalRate, who: str, times: int) -> int:
    return sum([await counted.permits(who) for _ in range(times)])


async def test_twice_the_rate_may_come_at_once_and_no_more() -> None:
    """For each who comes, whatever the others do."""
    counted = LocalRate(10)

    assert [await _permitted(counted, who, 50) for who in ("ann", "bob")] == [20, 20]


async def test_in_the_long_run_the_rate_is_kept() -> None:
    """Who was refused is permitted again, as often as the rate says."""
    counted = LocalRate(100)
    await _permitted(counted, "ann", 200)
    permitted = 0
    begun = asyncio.get_running_loop().time()
    while (seconds := asyncio.get_running_loop().time() - begun) < WINDOW_S + 0.5:
        permitted += await counted.permits("ann")
        await asyncio.sleep(0.005)

    assert 0 < permitted <= 100 * seconds * 1.1


async def test_who_has_not_come_for_a_while_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is for those that come now, and not for all that ever came."""
    monkeypatch.setattr(local, "WINDOW_S", 1)
    counted = LocalRate(10)
    for number in range(100):
        await counted.permits(str(number))
    assert len(counted) == 100

    await eventually(lambda: len(counted) == 0, message="all are forgotten")


async def test_however_many_come_at_once_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound who came longest ago is forgotten; who comes all the time is not."""
    monkeypatch.setattr(local, "_MOST", 50)
    counted = LocalRate(10)
    for number in range(1_000):
        await counted.permits(str(number))
        await counted.permits("ann")
    assert len(counted) == 50
    assert not await counted.permits("ann")


async def test_a_count_takes_no_longer_for_many_who_come() -> None:
    """The library looks through all that it keeps in one place: there must not be one place for all."""
    few, many = LocalRate(10_000), LocalRate(10_000)
    for number in range(5_000):
        await many.permits(str(number))
    await asyncio.sleep(0)

    async def seconds(counted: LocalRate) -> float:
        begun = asyncio.get_running_loop().time()
        for _ in range(200):
            await counted.permits("ann")
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time() - begun

    assert min([await seconds(many) for _ in range(3)]) < 10 * max([await seconds(few) for _ in range(3)])


async def test_zero_is_no_limit() -> None:
    """As the settings say."""
    unlimited = rate("anything", 0, "redis://127.0.0.1:1")

    assert isinstance(unlimited, Unlimited)
    assert all([await unlimited.permits("ann") for _ in range(1_000)])
