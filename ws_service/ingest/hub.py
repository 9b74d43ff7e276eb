"""Where numbered events arrive and those who subscribed are told. It knows no transport and no socket library."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from shared.emitter_api import Batch, EmitterPosition
from shared.events import Position
from shared.journey import log_events
from ws_service import metrics
from ws_service.ingest.entry import Entry
from ws_service.ingest.history import History
from ws_service.ingest.lag import lag_s
from ws_service.ingest.subscriptions import CHUNK_BYTES, Subscriptions

_log = structlog.get_logger(__name__)


class Hub:
    """The emitter's memory: an epoch, a position in its log, and the recent history.

    Without a position it has no memory: it takes history only, which is kept and never broadcast. The relay closes the
    hand-over with the position, and from then on events are live.
    """

    def __init__(self, history: History, subscriptions: Subscriptions) -> None:
        self.history = history
        self.subscriptions = subscriptions
        self._epoch: str | None = None
        self._open = asyncio.Event()

    @property
    def position(self) -> Position | None:
        """Where the emitter is; None while it has no memory."""
        return Position(self._epoch, self.history.last) if self._epoch and self._open.is_set() else None

    def answer(self) -> EmitterPosition:
        """Return the position in the words of the emitter's contract."""
        return EmitterPosition(epoch=self._epoch, position=self.position.seq if self.position else None)

    async def opened(self) -> None:
        """Wait until there is a position."""
        await self._open.wait()

    def take(self, batch: Batch) -> bool:
        """Take a batch; False if it does not follow the position, and then nothing of it was taken.

        Checked and applied without an await in between: two relays which both believe to lead cannot interleave.

        Raises:
            Unencodable: a payload cannot be sent on; nothing was taken.
        """
        # Encoded before anything is changed: what cannot be is refused whole.
        entries = [Entry.of(event) for event in batch.events]
        if batch.history:
            return self.take_history(batch.epoch, entries, batch.position)
        return self.take_live(batch.epoch, entries)

    def take_live(self, epoch: str, entries: Sequence[Entry]) -> bool:
        """Take the next events and tell who subscribed; False if they do not follow the position."""
        if self.position is None or epoch != self._epoch:
            return False
        before = self.history.last
        news = [event for event in entries if event.seq > before]
        if not _follow(news, before):
            return False
        for event in news:
            self.history.append(event)
        metrics.position.set(self.history.last)
        if sum(event.size for event in news) <= CHUNK_BYTES:
            self.subscriptions.publish(news, Position(epoch, self.history.last))
        else:
            # Written to every socket at once it would wait in the transports of all that are slow.
            self.subscriptions.announce(news, before)
        _tell(news)
        return True

    def take_history(self, epoch: str, entries: Sequence[Entry], position: int | None) -> bool:
        """Take the recent past, in parts, of which the last one comes with the `position` that it ends at.

        It is never broadcast. False if it does not follow, or if there is a memory already that can go on without.
        """
        if self.position is not None and epoch == self._epoch and not self._out_of_reach(entries):
            return False
        if self.position is not None or epoch != self._epoch:
            self.forget(epoch)
        news = [event for event in entries if event.seq > self.history.last]
        if news and not _follow(news, self.history.last):
            # Another relay began anew and further on: its history is the one that will be completed.
            self.history.clear(news[0].seq - 1)
        if not _follow(news, self.history.last):
            return False
        for event in news:
            self.history.append(event)
        return position is None or self._close_handover(position)

    def _close_handover(self, position: int) -> bool:
        if self.history.is_empty:
            self.history.clear(position)
        if position != self.history.last:
            return False
        self._open.set()
        metrics.position.set(position)
        for subscription in self.subscriptions.everyone():
            if not subscription.begun:
                subscription.begin(Position(str(self._epoch), position))
        return True

    def _out_of_reach(self, entries: Sequence[Entry]) -> bool:
        # The log itself does not hold any more what comes next here. A stale relay cannot cause this: its history ends
        # before the position.
        return bool(entries) and entries[0].seq > self.history.last + 1

    def forget(self, epoch: str) -> None:
        """Begin without memory: the sockets cannot be given what comes next, so that they have to come again."""
        self._epoch = epoch
        self._open.clear()
        self.history.clear(0)
        for subscription in self.subscriptions.everyone():
            if subscription.begun:
                subscription.end()


def _tell(news: Sequence[Entry]) -> None:
    # After the writes: the sockets do not wait for it.
    now = datetime.now(UTC)
    for event in news:
        if (seconds := lag_s(event.time, now)) is not None:
            metrics.delivery_lag.observe(seconds)
    log_events(_log.info, "delivered", news)


def _follow(events: list[Entry], last: int) -> bool:
    return all(event.seq == last + 1 + index for index, event in enumerate(events))
