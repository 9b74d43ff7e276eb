"""Campaigns for the lease, and while holding it runs what only one replica may do: numbering and relaying."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from api_service import metrics
from api_service.database import Database
from api_service.errors import DatabaseUnavailable
from api_service.feed.event_log import EventLog
from api_service.feed.lease import FeedState, Lease, read_leadership
from api_service.feed.retention import Limits, Retention
from api_service.feed.sequencer import Sequencer
from api_service.relay.backlog import measure_backlog
from api_service.relay.emitter_client import EmitterClient
from api_service.relay.relay import HistoryBounds, LogBehind, Relay
from api_service.settings import Settings
from shared.backoff import Backoff

LOOK_EVERY_S = 0.25
RENEW_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """This replica may not lead any longer."""


class Leader:
    """A candidate for leadership, for as long as the process lives."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        emitter: EmitterClient,
        prepare_schema: Callable[[], Awaitable[None]],
        settings: Settings,
    ) -> None:
        self._database = database
        self._lease = lease
        self._emitter = emitter
        self._prepare_schema = prepare_schema
        self._settings = settings

    async def run(self) -> None:
        """Lead whenever nobody else does, until cancelled."""
        backoff = Backoff()
        while True:
            try:
                if state := await self._campaign():
                    await self._lead(state)
                elif not await self._lease.exists():
                    await self._prepare_schema()  # the database was wiped under us
                backoff.reset()
                await asyncio.sleep(LOOK_EVERY_S)
            except DatabaseUnavailable:
                await asyncio.sleep(backoff.next_s())
            except Exception:  # noqa: BLE001  # logged and counted; only a cancellation ends the campaign
                # A fault of ours. It is seen in the log and in the metrics, and another replica may do better.
                metrics.terms_failed.inc()
                _log.exception("a term of leadership failed")
                await asyncio.sleep(backoff.next_s())

    async def _campaign(self) -> FeedState | None:
        taking = asyncio.create_task(self._lease.take())
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # It may have been taken all the same, and nobody would lead until it runs out.
            with contextlib.suppress(DatabaseUnavailable):
                if await taking:
                    await self._release()
            raise

    async def _lead(self, state: FeedState) -> None:
        # In a task of its own: Python 3.11's TaskGroup swallows a cancellation that comes while one of its tasks fails.
        # There it would end the term and be forgotten, and a shutdown would wait for ever.
        term = asyncio.create_task(self._term(state), name="term of leadership")
        try:
            await asyncio.wait({term})
        finally:
            term.cancel()
            await asyncio.wait({term})
        term.result()

    async def _term(self, state: FeedState) -> None:
        log = EventLog(self._database)
        sequencer = Sequencer(self._database, self._lease, log, self._prepare_schema)
        history = HistoryBounds(self._settings.history_events, self._settings.history_bytes)
        relay = Relay(log, self._emitter, state, self._epoch_in_force, history)
        _log.info("leading", epoch=state.epoch)
        metrics.leader.set(1)
        try:
            async with asyncio.TaskGroup() as term:
                term.create_task(self._keep_lease(state.epoch, sequencer, relay))
                term.create_task(sequencer.run(state.checkpoint))
                term.create_task(relay.run(sequencer.appended))
                term.create_task(Retention(log, Limits.of(self._settings), lambda: relay.relayed).run())
                term.create_task(self._watch_backlog(log, relay))
        except* LeaseLost as lost:
            _log.warning("not leading any more", reason=str(lost.exceptions[0]))
        except* LogBehind:
            await self._replace_epoch(state.epoch, log, relay.relayed or 0)
        finally:
            metrics.leader.set(0)
            metrics.undelivered_events.set(0)
            metrics.undelivered_age.set(0)
            metrics.line_blocked.set(0)
            await self._release()

    async def _epoch_in_force(self) -> str:
        return (await read_leadership(self._database)).epoch

    async def _replace_epoch(self, epoch: str, log: EventLog, taken: int) -> None:
        # A new primary may show an older end for a moment; what it acknowledges by a majority now is after all of that.
        if await self._lease.renew(None) and (await log.end()).seq < taken:
            _log.error("the log ends before what the emitter has taken: a new epoch begins", taken=taken)
            await self._lease.begin_epoch(epoch)
            metrics.epochs_begun.inc()

    async def _release(self) -> None:
        try:
            await self._lease.release()
        except DatabaseUnavailable:
            # Raised from here, it would take the place of a cancellation, and the shutdown would wait for ever.
            _log.warning("the lease was not released; it runs out by itself")

    async def _watch_backlog(self, log: EventLog, relay: Relay) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            with contextlib.suppress(DatabaseUnavailable):
                end, _ = await log.end()
                backlog = await measure_backlog(log, relay.relayed or 0, end)
                metrics.undelivered_events.set(backlog.events)
                metrics.undelivered_age.set(backlog.age_s)

    async def _keep_lease(self, epoch: str, sequencer: Sequencer, relay: Relay) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            # A leader whose reader hangs would keep all others from leading.
            if sequencer.hangs:
                raise LeaseLost("the change stream does not answer")
            try:
                state = await self._lease.renew(relay.relayed)
            except DatabaseUnavailable as error:
                raise LeaseLost("the lease could not be renewed") from error
            if state is None:
                raise LeaseLost("another replica leads")
            if state.epoch != epoch:
                raise LeaseLost("the epoch has changed")
