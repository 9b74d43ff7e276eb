"""Carries the event log to the emitter, in order, from wherever the emitter is.

The emitter's answer is the only truth about what was delivered; nothing is stored here. So a relay that is new, or was
stopped for a while, or runs twice, cannot lose or repeat anything: the emitter takes what follows its position, ignores
what it has, and answers a gap with its position.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from api_service import metrics
from api_service.errors import DatabaseUnavailable
from api_service.feed.event_log import EventLog
from api_service.feed.lease import FeedState
from api_service.relay.emitter_client import BatchRefused, EmitterClient, EmitterError, EmitterUnavailable
from api_service.relay.refusals import find_refused, spread, versions_disagree
from shared.backoff import Backoff
from shared.emitter_api import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Batch, EmitterPosition
from shared.events import Event
from shared.journey import log_events

ASK_EVERY_S = 1.0

_TAKEN_BEFORE = 10
_SAMPLE = 2 * _TAKEN_BEFORE

_log = structlog.get_logger(__name__)


class LogBehind(Exception):
    """The log ends before what the emitter has taken: it was dropped or restored, and its epoch is the old one still.

    No number may be given twice under one epoch: whoever leads has to begin a new one.
    """


class HistoryBounds(NamedTuple):
    """How much of the recent past an emitter without memory is handed; `bytes` as it is stored in the log."""

    events: int
    bytes: int


class Relay:
    """The delivery of one epoch's log for one term of leadership.

    `confirm_epoch` asks for the epoch that is in force.
    """

    def __init__(
        self,
        log: EventLog,
        emitter: EmitterClient,
        state: FeedState,
        confirm_epoch: Callable[[], Awaitable[str]],
        history: HistoryBounds,
    ) -> None:
        self._log = log
        self._emitter = emitter
        self._epoch = state.epoch
        self._confirm_epoch = confirm_epoch
        self._history = history
        # The last position that the emitter was seen at, for those who watch; what to post is decided by its answer.
        self.relayed = state.relayed
        # The emitter's last answer; None when it has to be asked.
        self._answer: EmitterPosition | None = None

    async def run(self, appended: asyncio.Event) -> None:
        """Deliver until cancelled; at once when `appended` is set, and never later than every second."""
        backoff = Backoff()
        while True:
            appended.clear()
            try:
                delivered = await self.deliver_batch()
            except (EmitterError, DatabaseUnavailable) as error:
                self._answer = None
                metrics.relay_failures.inc()
                _log.warning("delivery failed", error=str(error))
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            # Whatever was appended meanwhile has set `appended`, or has ended with another number.
            if not delivered or (self._answer and self._log.ends_at(self._answer.position or 0)):
                await self._wait(appended)

    async def deliver_batch(self) -> int:
        """Post one batch of what the emitter lacks; return how many events it was.

        Raises:
            EmitterError: the emitter did not take it; try again.
            LogBehind: it has more than the log.
        """
        if self._answer is None:
            self._answer = await self._emitter.position()
        if self._answer.epoch != self._epoch or self._answer.position is None:
            return await self._hand_over()
        after = self.relayed = self._answer.position
        metrics.emitter_position.set(after)
        events = await self._log.read(after, MAX_BATCH_EVENTS, MAX_BATCH_BYTES)
        if not events:
            await self._confirm_end(after)
            return 0
        if events[0].seq > after + 1:
            _log.error("the log does not reach back to the emitter", log_begins=events[0].seq, emitter=after)
            return await self._hand_over()
        self._answer = await self._post(events)
        if self._answer.position == after:
            raise EmitterUnavailable(f"the emitter stays at {after}")
        # None of them, if it has lost its memory, or gone back: the next batch is what it lacks by then.
        position = self._answer.position if self._answer.epoch == self._epoch else None
        if taken := [event for event in events if event.seq <= (position or 0)]:
            metrics.events_relayed.inc(len(taken))
            log_events(_log.info, "relayed", taken)
            metrics.line_blocked.set(0)
        return len(events)

    async def _confirm_end(self, after: int) -> None:
        end, _ = await self._log.end()
        if end < after:
            raise LogBehind(f"the log ends at {end}, and the emitter has taken {after}")

    async def _post(self, events: list[Event], *, history: bool = False) -> EmitterPosition:
        try:
            return await self._emitter.post(Batch(epoch=self._epoch, events=events, history=history))
        except BatchRefused:
            await self._park_refused(events)
            # What was parked is read from the log again, as a number that nobody hears.
            raise

    async def _park_refused(self, events: list[Event]) -> None:
        # Together with some that were taken before: of a single event nobody could tell whose fault it is. Where there
        # are none before, at the beginning of the log, a single event that is refused waits.
        last = events[0].seq - 1
        before = await self._log.read(max(0, last - _TAKEN_BEFORE), min(last, _TAKEN_BEFORE), MAX_BATCH_BYTES)
        # A few are enough to see that versions disagree: to ask about each at every try would keep the emitter busy.
        for asked in (before, [*before, *spread(events, _SAMPLE)], [*before, *events]):
            refused = await find_refused(self._emitter, self._epoch, asked)
            if versions_disagree(len(refused), len(asked)):
                metrics.line_blocked.set(1)
                reason = refused[0].reason
                _log.error("the emitter refuses most events; nothing is parked, the line waits", reason=reason)
                return
        for refusal in refused:
            await self._log.park(refusal.event.seq, refusal.reason)
            metrics.events_parked.inc()
            _log.error("parked an event", seq=refusal.event.seq, id=refusal.event.id, reason=refusal.reason)

    async def _hand_over(self) -> int:
        """Give an emitter without memory the recent history, and close with its position; return 1: there is more."""
        # What is appended from here on is live: it has to be broadcast, so it must not come as history.
        end, _ = await self._log.end()
        after = await self._log.history_start(end, self._history.events, self._history.bytes)
        if await self._confirm_epoch() != self._epoch:
            # The emitter may have the new epoch already: handed the old one, it would throw all of its sockets out.
            raise EmitterUnavailable("the epoch has changed")
        _log.info("handing the history over", events=end - after, position=end)
        while after < end:
            events = await self._log.read(after, min(end - after, MAX_BATCH_EVENTS), MAX_BATCH_BYTES)
            if not events or events[-1].seq - after != len(events):
                raise EmitterUnavailable(f"the log was trimmed beyond {after} while it was handed over")
            self._answer = await self._post(events, history=True)
            log_events(_log.debug, "handed over", events)
            if self._answer.position is not None:
                return 1  # another relay was faster
            after = events[-1].seq
        self._answer = await self._emitter.post(Batch(epoch=self._epoch, history=True, position=end))
        if self._answer.position is None:
            raise EmitterUnavailable("the emitter did not take the hand-over")
        metrics.handovers.inc()
        return 1

    async def _wait(self, appended: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(ASK_EVERY_S):
                await appended.wait()
        except TimeoutError:
            self._answer = None  # ask: an emitter that started anew on a quiet catalogue says so only then
