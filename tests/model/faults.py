"""Designs with one known fault each: what the machine must find, or it would not find such a fault of ours either."""

from api_service.errors import DatabaseUnavailable
from api_service.feed.changes import Changes
from api_service.feed.event_log import LogEnd, UncertainAppend
from api_service.feed.numbering import number, resync
from api_service.feed.sequencer import Sequencer
from api_service.relay.relay import Relay
from shared.emitter_api import Batch, EmitterPosition
from shared.events import Event, Position
from tests.model.emitter import Design as Emitter
from tests.model.emitter import Listening
from tests.model.leader import Log, Mailbox, Parts, open_changes
from tests.model.machine import Design
from tests.model.network import query
from ws_service.ingest.entry import Entry
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.outgoing import Part
from ws_service.sockets import recovery
from ws_service.sockets.requests import Handshake


class _LocalEnd(Log):
    async def end(self) -> LogEnd:
        found: LogEnd = await query("end", lambda: self.mongo.end(local=True))
        return found


class _NumberKept(Sequencer):
    async def _number_batch(self, changes: Changes) -> bool:
        try:
            return await super()._number_batch(changes)
        except (UncertainAppend, DatabaseUnavailable):
            self._last += len(number(changes.batch, self._last).entries)
            return True


class _CheckpointFirst(Sequencer):
    async def _number_batch(self, changes: Changes) -> bool:
        await self._lease.checkpoint(changes.token)
        return await super()._number_batch(changes)


class _EndReadLate(Sequencer):
    async def _start_anew(self, reason: str) -> None:
        async with open_changes(self._database, None) as stream:
            last, _ = await self._log.end()
            now = stream.opened
            await self._log.append([resync(last + 1, reason, now.server_time, now.token)])
            await self._write_checkpoint(now.token)
        self.appended.set()


class _PositionKept(Mailbox):
    """Makes the relay go on from what it has posted, whatever the emitter says."""

    _kept: EmitterPosition | None = None

    async def position(self) -> EmitterPosition:
        self._kept = self._kept or await super().position()
        return self._kept

    async def post(self, batch: Batch) -> EmitterPosition:
        self._kept = await super().post(batch)
        if batch.events and not batch.history:
            self._kept = EmitterPosition(epoch=batch.epoch, position=batch.events[-1].seq)
        return self._kept


class _EpochUnread(Relay):
    async def deliver_batch(self) -> int:
        answer = self._answer or await self._emitter.position()
        self._answer = answer.model_copy(update={"epoch": self._epoch})
        return await super().deliver_batch()


class _GapsTaken(Hub):
    def take(self, batch: Batch) -> bool:
        here = self.position
        if here and not batch.history and batch.events:
            gap = [Event(seq=seq, event=None) for seq in range(here.seq + 1, batch.events[0].seq)]
            batch = batch.model_copy(update={"events": [*gap, *batch.events]})
        return super().take(batch)


class _AnyEpochTaken(Hub):
    def take(self, batch: Batch) -> bool:
        return super().take(batch.model_copy(update={"epoch": self._epoch or batch.epoch}))


class _LiveTakenEarly(Hub):
    def take(self, batch: Batch) -> bool:
        if self.position is None and not batch.history and batch.events:
            self._epoch = batch.epoch
            for event in batch.events:
                self.history.append(Entry.of(event))
            self._open.set()
            return True
        return super().take(batch)


class _HistoryBroadcast(Hub):
    def take(self, batch: Batch) -> bool:
        taken = super().take(batch)
        if taken and batch.history and batch.events:
            for subscription in self.subscriptions.everyone():
                if not subscription.begun:
                    subscription.begin(Position(batch.epoch, batch.events[0].seq - 1))
        return taken


class _Boundless(History):
    def reaches_back_to(self, *_: object) -> bool:
        return True


class _GivenWhileFull(Listening):
    def give(self, part: Part, last: int) -> int:
        sent = super().give(part, last)
        if not sent and self.begun and not self._ended:
            self.listener.write(part)
        return sent


class _CursorLeftBehind(Listening):
    def hold(self, now: int) -> None:
        del now
        self._live = False


class _AheadTakenForLive(Listening):
    def next_part(self, history: History) -> Part | None:
        part = super().next_part(history)
        self._live = part is None and self.begun
        return part


class _LiveOnceDrained(Listening):
    _held = False

    def hold(self, now: int) -> None:
        self._held = self._live
        super().hold(now)

    def next_part(self, history: History) -> Part | None:
        if self._held and not self._ended and not self._replays:
            self._held, self._live = False, True
            return None
        return super().next_part(history)


def _recover_always(handshake: Handshake, now: Position | None, _: History) -> recovery.Start:
    return recovery.start(handshake, now, _Boundless(0, 0))


def _recover_from_any_epoch(handshake: Handshake, now: Position | None, history: History) -> recovery.Start:
    after = Position(now.epoch, handshake.after.seq) if now and handshake.after else None
    return recovery.start(handshake.model_copy(update={"after": after}), now, history)


FAULTS = {
    "the end of the log is read locally": Design(Parts(log=_LocalEnd)),
    "numbers have no unique key": Design(unique_numbers=False),
    "the number is kept after an uncertain append": Design(Parts(sequencer=_NumberKept)),
    "the checkpoint is written before the append": Design(Parts(sequencer=_CheckpointFirst)),
    "a new beginning reads the end of the log too late": Design(Parts(sequencer=_EndReadLate)),
    "the relay keeps the position": Design(Parts(mailbox=_PositionKept)),
    "a gap is not answered with 409": Design(emitter=Emitter(hub=_GapsTaken)),
    "a replaced database keeps its epoch": Design(epochs=False),
    "the relay does not look at the epoch": Design(Parts(relay=_EpochUnread)),
    "the emitter does not look at the epoch": Design(emitter=Emitter(hub=_AnyEpochTaken)),
    "recovery does not look at the epoch": Design(emitter=Emitter(begin=_recover_from_any_epoch)),
    "recovery does not look at the history": Design(emitter=Emitter(begin=_recover_always)),
    "live events are taken before the hand-over is closed": Design(emitter=Emitter(hub=_LiveTakenEarly)),
    "a full socket is given events, and reads them again": Design(emitter=Emitter(subscription=_GivenWhileFull)),
    "who is held is taken for behind": Design(emitter=Emitter(subscription=_CursorLeftBehind)),
    "a client that is ahead is taken for live": Design(emitter=Emitter(subscription=_AheadTakenForLive)),
    "a drained socket does not read what came meanwhile": Design(emitter=Emitter(subscription=_LiveOnceDrained)),
    "history is broadcast": Design(emitter=Emitter(hub=_HistoryBroadcast)),
}
