"""How much of the event log is kept: a day or a million events, and more while the emitter has not taken it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

import structlog

from api_service import metrics
from api_service.errors import DatabaseUnavailable
from api_service.feed.event_log import EventLog
from api_service.settings import Settings

EVERY_S = 60.0
_STEP = 10_000

_log = structlog.get_logger(__name__)


class Limits(NamedTuple):
    """What is kept in any case (`age`, `events`), and what is not kept even for an emitter that is away (`cap`)."""

    age: timedelta
    events: int
    cap: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the operator has set."""
        return cls(timedelta(hours=settings.retention_hours), settings.retention_events, settings.retention_cap_events)


def last_to_remove(limits: Limits, *, last_expired: int, end: int, relayed: int | None) -> int:
    """Return the highest number that may go.

    Args:
        limits: What is kept.
        last_expired: The newest event that is older than the limit of age.
        end: The newest event of all, which always stays: it holds the number and the token to go on from.
        relayed: The newest event that the emitter has taken; None if nobody knows.
    """
    unneeded = min(max(last_expired, end - limits.events), relayed or 0)
    return min(max(unneeded, end - limits.cap), end - 1)


class Retention:
    """Removes what is not kept any more, for one term of leadership."""

    def __init__(self, log: EventLog, limits: Limits, relayed: Callable[[], int | None]) -> None:
        self._log = log
        self._limits = limits
        self._relayed = relayed

    async def run(self) -> None:
        """Remove once a minute, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.remove()
            except DatabaseUnavailable as error:
                _log.warning("the event log could not be trimmed; it is tried again in a minute", error=str(error))

    async def remove(self) -> int:
        """Remove what is not kept, and return how many events that was."""
        last_expired = await self._log.last_before(datetime.now(UTC) - self._limits.age)
        end, _ = await self._log.end()
        relayed = self._relayed()
        last = last_to_remove(self._limits, last_expired=last_expired, end=end, relayed=relayed)
        # What went in an earlier pass was told then.
        told = max(relayed or 0, (await self._log.first_seq() or 1) - 1)
        if last > told:
            _log.error("events are removed that the emitter has not taken", after=told, up_to=last, relayed=relayed)
            metrics.removed_undelivered.inc(last - told)
        removed = 0
        # In steps, each well within the deadline of a call.
        while gone := await self._log.remove(last, _STEP):
            removed += gone
        return removed
