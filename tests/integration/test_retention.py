import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from api_service import metrics
from api_service.errors import DatabaseUnavailable
from api_service.feed import retention as module
from api_service.feed.event_log import Entry
from api_service.feed.retention import Limits, Retention
from tests.integration.feed import Feed, settings
from tests.waiting import eventually

HOUR = timedelta(hours=1)


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url) as feed:
        now = datetime.now(UTC)
        await feed.log.append(
            [
                # The first fifty are two hours old.
                Entry(seq, f"id-{seq}", "new_product", {}, [], now - (2 * HOUR if seq <= 50 else 0 * HOUR), {})
                for seq in range(1, 101)
            ]
        )
        yield feed


def removed_undelivered() -> float:
    return float(metrics.removed_undelivered._value.get())  # noqa: SLF001  # the library shows it by text alone


async def kept(feed: Feed) -> list[int]:
    return [event.seq for event in await feed.log.read(0, 1000)]


async def test_old_events_are_removed_in_steps(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many have to go, each call stays well within its deadline."""
    monkeypatch.setattr(module, "_STEP", 7)
    assert await Retention(feed.log, Limits(HOUR, 1000, 1000), lambda: 100).remove() == 50
    assert await kept(feed) == list(range(51, 101))
    assert await feed.log.first_seq() == 51


async def test_the_newest_stays_when_all_are_old(feed: Feed) -> None:
    """A catalogue that nothing happened to for days keeps its last number."""
    assert await Retention(feed.log, Limits(timedelta(0), 1000, 1000), lambda: 100).remove() == 99
    assert await kept(feed) == [100]


async def test_what_the_emitter_lacks_is_removed_loudly(feed: Feed, capfd: pytest.CaptureFixture[str]) -> None:
    """Beyond the cap the log goes on without a dead emitter, and says so: of each event once."""
    before = removed_undelivered()
    retention = Retention(feed.log, Limits(HOUR, 10, 20), lambda: 30)
    await retention.remove()
    assert await kept(feed) == list(range(81, 101))
    assert "the emitter has not taken" in capfd.readouterr().out
    assert removed_undelivered() == before + 50
    await retention.remove()
    assert "the emitter has not taken" not in capfd.readouterr().out
    assert removed_undelivered() == before + 50


async def test_an_empty_log_is_left_alone(database_url: str) -> None:
    """A new catalogue has nothing to remove."""
    async with Feed.open(database_url) as feed:
        assert await Retention(feed.log, Limits(HOUR, 10, 20), lambda: None).remove() == 0


async def test_it_goes_on_after_a_failure(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away for a moment does not end the trimming for good."""
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    relayed: list[int | Exception] = [DatabaseUnavailable("away"), 100]

    def answer() -> int:
        value = relayed[0] if len(relayed) == 1 else relayed.pop(0)
        if isinstance(value, Exception):
            raise value
        return value

    running = asyncio.create_task(Retention(feed.log, Limits(HOUR, 1000, 1000), answer).run())

    async def trimmed() -> bool:
        return await feed.log.first_seq() == 51

    await eventually(trimmed, message="the log is trimmed")
    running.cancel()


def test_the_limits_are_settings() -> None:
    """An operator decides how much is kept."""
    chosen = settings("mongodb://none", retention_hours=2, retention_events=3, retention_cap_events=4)
    assert Limits.of(chosen) == Limits(2 * HOUR, 3, 4)
