"""Reads the change stream and appends what it says to the event log, under the next numbers.

Two replicas may both believe to lead for a moment: one was stopped, or cut off, and goes on. It does no harm. Each
resumes from a token of the log, and `number` gives the same change the same number and content; the log's unique key
lets only one of two equal entries in. Whoever is refused, or does not know whether it was, forgets its number and reads
the log's end again before it goes on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog

from api_service import metrics
from api_service.database import Database
from api_service.errors import DatabaseUnavailable
from api_service.feed.changes import ANSWER_S, CATCH_UP_S, Changes, Token, TokenLost, open_changes
from api_service.feed.event_log import Entry, EventLog, UncertainAppend
from api_service.feed.lease import Lease
from api_service.feed.numbering import number, resync
from shared.backoff import Backoff
from shared.journey import log_events

CHECKPOINT_EVERY_S = 10.0

_log = structlog.get_logger(__name__)


class Sequencer:
    """The change stream's reader for one term of leadership."""

    def __init__(
        self, database: Database, lease: Lease, log: EventLog, prepare_schema: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._lease = lease
        self._log = log
        self._prepare_schema = prepare_schema
        self._last = 0
        self._checkpoint: Token = {}
        self._checkpointed_at = 0.0
        # When the stream last answered, with or without changes (`time.monotonic()`), and how long it may take now.
        self._heard_at = time.monotonic()
        self._answers_within_s = ANSWER_S
        # Set at each append. Only a wake-up: whoever waits for it also looks by itself now and then.
        self.appended = asyncio.Event()

    @property
    def hangs(self) -> bool:
        """Whether the change stream has not answered for so long that another replica should try."""
        return time.monotonic() - self._heard_at > self._answers_within_s

    async def run(self, checkpoint: Token) -> None:
        """Follow the stream until cancelled."""
        self._checkpoint = checkpoint
        self._hear(ANSWER_S)
        backoff = Backoff()
        lost: TokenLost | None = None
        while True:
            try:
                if lost is not None:
                    await self._start_anew(str(lost))
                    lost = None
                await self._follow(backoff)
            except TokenLost as error:
                lost = error
            except (DatabaseUnavailable, UncertainAppend) as error:
                _log.warning("the feed resumes from the end of the log", error=str(error))
                await asyncio.sleep(backoff.next_s())

    async def _follow(self, backoff: Backoff) -> None:
        """Number what is committed, until the stream ends by itself."""
        # The collection may have been dropped, and made again without images, while nobody looked.
        await self._prepare_schema()
        self._last, token = await self._log.end()
        async with open_changes(self._database, later(token, self._checkpoint)) as stream:
            self._hear(CATCH_UP_S)
            changes = await stream.next()
            self._hear(ANSWER_S)
            while await self._number_batch(changes):
                backoff.reset()
                self._hear(ANSWER_S)
                changes = await stream.next()

    def _hear(self, answers_within_s: float) -> None:
        self._heard_at = time.monotonic()
        self._answers_within_s = answers_within_s

    async def _number_batch(self, changes: Changes) -> bool:
        """Append a batch; False if it was the stream's last."""
        numbered = number(changes.batch, self._last)
        if numbered.entries:
            await self._append(numbered.entries)
            self._last = numbered.entries[-1].seq
            self.appended.set()
        for change in numbered.passed_over:
            metrics.changes_passed_over.inc()
            _log.warning("passed over a document that is not a product", id=str(change.key), operation=change.operation)
        # Only now: everything up to this token is in the log.
        if time.monotonic() - self._checkpointed_at >= CHECKPOINT_EVERY_S:
            await self._write_checkpoint(changes.token)
        return not any(change.operation == "invalidate" for change in changes.batch)

    async def _append(self, entries: Sequence[Entry]) -> None:
        await self._log.append(entries)
        now = datetime.now(UTC)
        for entry in entries:
            metrics.events_numbered.labels(entry.event).inc()
            # Two clocks: a lag below zero is none.
            metrics.numbering_lag.observe(max(0.0, (now - entry.time).total_seconds()))
        log_events(_log.info, "numbered", entries)

    async def _write_checkpoint(self, token: Token) -> None:
        await self._lease.checkpoint(token)
        self._checkpoint = token
        self._checkpointed_at = time.monotonic()

    async def _start_anew(self, reason: str) -> None:
        """Go on from now: nobody can say what was missed, so that everyone is told to read the products anew."""
        _log.error("the change stream cannot be resumed; everyone is told to read the products anew", reason=reason)
        # The end first. The other way round a leader that is stopped in between would append, behind what another has
        # told since, a token from before that; and all of it would be numbered again.
        last, _ = await self._log.end()
        async with open_changes(self._database, None) as stream:
            now = stream.opened
            await self._append([resync(last + 1, "changes were missed", now.server_time, now.token)])
            # The checkpoint may be of another cluster and look newer for ever.
            await self._write_checkpoint(now.token)
        self.appended.set()


def later(token: Token | None, checkpoint: Token) -> Token:
    """Return the later of two resume tokens: their `_data` sorts by cluster time."""
    return token if token is not None and token["_data"] > checkpoint["_data"] else checkpoint
