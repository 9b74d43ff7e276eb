"""A replica that may lead: the real sequencer, relay and retention, driven by hand, over calls that fail."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from api_service.database import Database
from api_service.feed.changes import Changes, Token
from api_service.feed.event_log import Entry, EventLog, LogEnd
from api_service.feed.lease import FeedState, Lease
from api_service.feed.newest import Newest
from api_service.feed.retention import Limits, Retention
from api_service.feed.sequencer import Sequencer
from api_service.relay.emitter_client import EmitterClient
from api_service.relay.relay import HistoryBounds, LogBehind, Relay
from shared.emitter_api import MAX_BATCH_BYTES, Batch, EmitterPosition
from shared.events import Event
from tests.model.emitter import Emitter
from tests.model.mongo import Cursor, Mongo
from tests.model.network import Call, Network, Post, Task, ask, query, wait

HISTORY = HistoryBounds(events=4, bytes=10**9)
LIMITS = Limits(age=timedelta(days=36_500), events=4, cap=8)


class World(NamedTuple):
    """What a replica can call."""

    mongo: Mongo
    network: Network
    emitter: Callable[[], Emitter]


class Log(EventLog):
    """The event log, a call away."""

    def __init__(self, mongo: Mongo) -> None:
        self.mongo = mongo
        self._newest = Newest(most=3, most_bytes=MAX_BATCH_BYTES)

    async def _insert(self, entries: Sequence[Entry]) -> None:
        await query("append", lambda: self.mongo.append(entries))

    async def end(self) -> LogEnd:
        """Return where the log ends."""
        found: LogEnd = await query("end", self.mongo.end)
        return found

    async def history_start(self, end: int, max_events: int, max_bytes: int) -> int:
        """Return the number after which the recent history begins."""
        assert max_bytes > 0
        start: int = await query("history start", lambda: self.mongo.start(end, max_events))
        return start

    async def _find(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        assert max_bytes > 0
        return [_event(entry) for entry in await query("read", lambda: self.mongo.read(after, limit))]

    async def first_seq(self) -> int | None:
        """Return the oldest number that is kept."""
        first: int | None = await query("first", lambda: next(iter(self.mongo.safe_numbers), None))
        return first

    async def remove(self, last: int, limit: int) -> int:
        """Remove the oldest events."""
        gone: int = await query("remove", lambda: self.mongo.remove(last, limit))
        return gone

    async def last_before(self, moment: datetime) -> int:
        """Nothing is ever too old: the model's clock stands still between two changes."""
        assert moment.year < 2000
        return 0


class _Lease(Lease):
    def __init__(self, mongo: Mongo, owner: str) -> None:
        self._mongo = mongo
        self._name = owner

    async def checkpoint(self, token: Token) -> None:
        await query("checkpoint", lambda: self._mongo.checkpoint(self._name, token))


class Mailbox(EmitterClient):
    """The emitter, a call away, under the address that every run of it has."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def position(self) -> EmitterPosition:
        """Ask how far it is."""
        answer: EmitterPosition = await ask("position", lambda: self._world.emitter().position())
        return answer

    async def post(self, batch: Batch) -> EmitterPosition:
        """Post a batch in its real form."""
        body = batch.model_dump_json(exclude_defaults=True)

        def serve() -> EmitterPosition:
            return self._world.emitter().post(body)

        self._world.network.remember(Post(batch.history, serve))
        answer: EmitterPosition = await ask("post", serve)
        return answer


class _Stream:
    def __init__(self, mongo: Mongo, cursor: Cursor, opened: Changes) -> None:
        self._mongo = mongo
        self._cursor = cursor
        self.opened = opened

    async def next(self) -> Changes:
        changes: Changes = await query("get more", lambda: self._mongo.get_more(self._cursor))
        return changes


@asynccontextmanager
async def open_changes(database: Database, start_after: Token | None) -> AsyncIterator[_Stream]:
    """Stand in for the real `open_changes`; the "database" is the model's."""
    mongo = cast("Mongo", database)
    cursor, opened = await query("open", lambda: mongo.open(start_after))
    yield _Stream(mongo, cursor, opened)


class Signal:
    """Stands in for `asyncio.Event`, which needs a loop to be waited for."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Wake whoever waits."""
        self._is_set = True

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False

    async def wait(self) -> None:
        """Wait until it is set; where it is not, the time runs out."""
        await wait(self._look)

    def _look(self) -> None:
        if not self._is_set:
            raise TimeoutError


class Clockless:
    """Stands in for `asyncio` in the sequencer and the relay: time passes when the machine says so."""

    Event = Signal

    @staticmethod
    def sleep(_: float) -> Call:
        """Wait for the machine."""
        return wait()

    @staticmethod
    @asynccontextmanager
    async def timeout(_: float) -> AsyncIterator[None]:
        """Leave the time-out to whoever waits."""
        yield


class Parts(NamedTuple):
    """What a leader is made of; a planted fault is another part."""

    sequencer: type[Sequencer] = Sequencer
    relay: type[Relay] = Relay
    log: type[Log] = Log
    mailbox: type[Mailbox] = Mailbox


class Term:
    """One term of leadership (`leader.py`: `_lead`, whose task group needs a loop)."""

    def __init__(self, parts: Parts, world: World, owner: str, state: FeedState) -> None:
        async def prepare_schema() -> None:
            await query("prepare", lambda: None)

        async def confirm_epoch() -> str:
            epoch: str = await query("epoch", lambda: world.mongo.epoch)
            return epoch

        log = parts.log(world.mongo)
        lease = _Lease(world.mongo, owner)
        sequencer = parts.sequencer(cast("Database", world.mongo), lease, log, prepare_schema)
        relay = parts.relay(log, parts.mailbox(world), state, confirm_epoch, HISTORY)
        self.epoch = state.epoch
        self._relay = relay
        self._retention = Retention(log, LIMITS, lambda: relay.relayed)
        self.tasks = {"sequencer": Task(sequencer.run(state.checkpoint)), "relay": Task(relay.run(sequencer.appended))}
        self.trim()

    @property
    def relayed(self) -> int | None:
        """What the lease is told at each renewal."""
        return self._relay.relayed

    @property
    def failures(self) -> list[Exception]:
        """What parts have given up for; the others are ended with them."""
        return [task.failure for name, task in self.tasks.items() if name != "retention" and task.failure]

    def trim(self) -> None:
        """Begin to remove what is not kept any more."""
        self.tasks["retention"] = Task(cast("Coroutine[Call, Any, Any]", self._retention.remove()))

    def stop(self) -> None:
        """End all parts."""
        for task in self.tasks.values():
            task.stop()


class Replica:
    """A process with its claim to lead. It may believe that it leads long after another one does."""

    def __init__(self, name: str, parts: Parts, world: World) -> None:
        self._name = name
        self._parts = parts
        self._world = world
        self._starts = 0
        self.term: Term | None = None

    def campaign(self) -> None:
        """Take the lease if it can be had (`leader.py`: `run`), or renew it (`_keep_lease`)."""
        task = Task(self._take())
        task.work()
        if task.failure:
            self._end()  # "the lease could not be renewed"

    def crash(self) -> None:
        """Die, and come back as a process with a claim of its own."""
        self._end()
        self._starts += 1

    def shut_down(self) -> None:
        """Stop in order."""
        self._end()
        self._world.mongo.release_lease(self._owner)

    def task(self, name: str) -> Task | None:
        """Return a part that runs."""
        if self.term is not None and (failures := self.term.failures):
            if any(isinstance(failure, LogBehind) for failure in failures):
                self._replace_epoch(self.term)
            self.shut_down()
        return self.term.tasks[name] if self.term else None

    def _replace_epoch(self, term: Term) -> None:
        """Begin a new epoch, if the log really is behind (`leader.py`: `_replace_epoch`)."""
        mongo = self._world.mongo
        if not mongo.lags and mongo.renew_lease(self._owner, None) and mongo.end().seq < (term.relayed or 0):
            mongo.begin_epoch(self._owner, term.epoch)

    async def _take(self) -> None:
        mongo, owner, term = self._world.mongo, self._owner, self.term
        state: FeedState | None
        if term is None:
            state = await query("take", lambda: mongo.take_lease(owner))
            self.term = Term(self._parts, self._world, owner, state) if state else None
        else:
            state = await query("renew", lambda: mongo.renew_lease(owner, term.relayed))
            if state is None or state.epoch != term.epoch:
                self._end()

    @property
    def _owner(self) -> str:
        return f"{self._name}/{self._starts}"

    def _end(self) -> None:
        if self.term is not None:
            self.term.stop()
            self.term = None


def _event(entry: Entry) -> Event:
    """Return an entry as `event_log.py` reads it."""
    return Event(
        seq=entry.seq,
        id=entry.id,
        event=entry.event,
        payload=entry.payload,
        topics=tuple(entry.topics),
        time=entry.time.isoformat(),
    )
