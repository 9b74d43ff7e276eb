"""Rates that several processes count together in Redis, and what becomes of them while it is away."""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from api_service.settings import Settings
from shared import metrics
from shared.serving.rates.rate import Rate, rate
from tests.integration.cluster import emitters, open_all
from tests.integration.test_limits import ONE, OTHER, polling
from tests.integration.test_limits_api import running, write
from tests.limits import limited
from tests.redis_server import PRIMARY, RedisServer, sentinel_of
from tests.waiting import TRIES, eventually

pytestmark = pytest.mark.usefixtures("still_windows")


async def permitted(*rates: Rate, who: str = "ann", times: int = 30) -> int:
    """Ask several in turn, and return how often it was permitted."""
    return sum([await rates[number % len(rates)].permits(who) for number in range(times)])


def failures() -> float:
    return float(metrics.rate_failures._value.get())  # noqa: SLF001  # the library shows it by text alone


async def while_redis_answers(act: Callable[[dict[str, str]], Awaitable[None]]) -> None:
    """Do it with another address each time until Redis has answered all of it: a busy machine may be too late for it.

    Then each counts alone, as it should, and as another test shows.
    """
    for number in range(TRIES):
        before = failures()
        try:
            return await act({"X-Forwarded-For": f"198.51.100.{number + 1}"})
        except AssertionError:
            if failures() == before:
                raise
    raise AssertionError("Redis was never quick enough")


async def test_emitters_count_handshakes_together(redis: RedisServer) -> None:
    """However an address spreads its handshakes over them."""
    async with emitters(2, redis.url, handshakes_per_second=3) as running_emitters:
        await open_all(running_emitters, 1)
        one, other = running_emitters

        async def knock(address: dict[str, str]) -> None:
            before = limited("handshakes")
            statuses = [await polling(emitter, address) for emitter in [one, other] * 5]
            assert statuses == [200] * 6 + [429] * 4
            assert limited("handshakes") == before + 4

        await while_redis_answers(knock)
        assert await polling(other, OTHER) == 200


async def test_replicas_count_writes_together(redis: RedisServer, api_settings: Settings) -> None:
    """Where the API is told of the Redis."""
    shared = {"writes_per_second": 3, "redis_url": type(api_settings.emitter_secret)(redis.url)}
    async with running(api_settings, **shared) as (_, one), running(api_settings, **shared) as (_, other):

        async def knock(address: dict[str, str]) -> None:
            statuses = [(await write(http, address)).status_code for http in [one, other] * 5]
            assert statuses == [404] * 6 + [429] * 4

        await while_redis_answers(knock)


async def test_a_replica_starts_and_serves_without_redis(api_settings: Settings) -> None:
    """One that is away when a replica starts, too; the replica is ready, and counts alone."""
    nobody = type(api_settings.emitter_secret)("redis://127.0.0.1:1")
    async with running(api_settings, writes_per_second=3, redis_url=nobody) as (_, http):
        assert (await http.get("/readyz")).status_code == 200
        assert [(await write(http, ONE)).status_code for _ in range(10)] == [404] * 6 + [429] * 4


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
async def test_without_redis_each_counts_alone(redis: RedisServer, fault: signal.Signals) -> None:
    """Nobody is refused because it is away, nobody waits long, and what one process permits is bounded as ever."""
    one, other = (rate("tests", 5, redis.url) for _ in range(2))
    async with one.running(), other.running():
        assert await permitted(one, other) == 10
        redis.send(fault)
        before, begun = failures(), asyncio.get_running_loop().time()
        assert [await permitted(each, who="bob") for each in (one, other)] == [10, 10]
        assert asyncio.get_running_loop().time() - begun < 1
        assert failures() == before + 2, "it is not asked each time"
        if fault is signal.SIGSTOP:
            redis.send(signal.SIGCONT)
        else:
            await redis.ended()
            redis.start()
            await redis.answers()
        await asyncio.sleep(1.1)
        assert await permitted(one, other, who="eve") == 10
        assert failures() == before + 2


async def test_handshakes_do_not_wait_for_a_redis_that_hangs(redis: RedisServer) -> None:
    """Many at the same time neither: an emitter takes them until it knows that it is deaf."""
    async with emitters(1, redis.url, handshakes_per_second=100) as [emitter]:
        await open_all([emitter], 1)
        redis.send(signal.SIGSTOP)
        begun = asyncio.get_running_loop().time()
        statuses = await asyncio.gather(*(polling(emitter, ONE) for _ in range(100)))
        assert set(statuses) == {200}
        assert asyncio.get_running_loop().time() - begun < 2


async def test_the_count_goes_on_where_a_replica_takes_over(tmp_path: Path) -> None:
    """Sentinels name the primary, as for everything else that is in Redis."""
    with RedisServer(tmp_path, "one") as primary:
        await primary.answers()
        with RedisServer(tmp_path, "two", primary=primary) as replica:
            await replica.answers()
            with sentinel_of(primary, tmp_path) as sentinel:
                await sentinel.answers()
                counted = rate("tests", 5, f"redis+sentinel://127.0.0.1:{sentinel.port}/{PRIMARY}")
                async with counted.running():
                    before = failures()
                    assert await permitted(counted) == 10
                    assert failures() == before
                    await primary.kill()
                    numbers = itertools.count()

                    async def is_counted() -> bool:
                        await counted.permits(f"bob {next(numbers)}")
                        with suppress(RedisError):  # it sends its clients away as it takes over
                            return any("bob" in str(key) for key in replica.client.scan_iter())
                        return False

                    await eventually(is_counted, message="the replica counts", timeout_s=20)


async def test_a_flood_is_not_handed_on_to_redis(redis: RedisServer) -> None:
    """What is too much for one process is refused there, without asking."""
    counted = rate("tests", 5, redis.url)
    async with counted.running():
        await permitted(counted)
        asked = int(redis.client.info("stats")["total_commands_processed"])
        assert await permitted(counted, times=1_000) == 0
        assert int(redis.client.info("stats")["total_commands_processed"]) - asked < 10


async def test_what_is_kept_in_redis_goes_by_itself(redis: RedisServer) -> None:
    """Each count has an end, so that addresses which never come again take no room."""
    counted = rate("tests", 5, redis.url)
    async with counted.running():
        for number in range(50):
            await counted.permits(str(number))
        keys = list(redis.client.scan_iter())
        assert len(keys) == 50
        assert all(0 < redis.client.pttl(key) <= 4_000 for key in keys)
