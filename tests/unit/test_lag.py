import asyncio
import contextlib
import time
from datetime import UTC, datetime

import pytest

from shared.serving.loop_lag import LoopLag
from tests.waiting import eventually
from ws_service.ingest.lag import lag_s

_NOW = datetime(2026, 1, 1, 0, 0, 1, 500_000, UTC)


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        ("2026-01-01T00:00:00.000Z", 1.5),
        ("2026-01-01T01:00:00.000+01:00", 1.5),
        ("2026-01-01T00:00:09.000Z", 0.0),
        ("", None),
        ("yesterday", None),
        ("2026-01-01T00:00:00", None),
    ],
)
def test_an_event_is_as_late_as_its_time_says(when: str, seconds: float | None) -> None:
    """In seconds; a clock that is ahead makes it no less than 0, and a time that cannot be read makes no figure."""
    assert lag_s(when, _NOW) == seconds


async def test_a_loop_that_is_held_up_is_late() -> None:
    """What blocks the event loop is seen, and fades once it is over."""
    lag = LoopLag()
    measuring = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    time.sleep(0.4)  # noqa: ASYNC251  # this is the fault
    await eventually(lambda: lag.seconds > 0.02, message="the loop was late")
    held_up_s = lag.seconds
    await eventually(lambda: lag.seconds < held_up_s / 1.2, message="and is in time again")
    measuring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await measuring
