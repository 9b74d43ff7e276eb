"""MongoDB as the feed sees it: a committed change stream, a log that an election can take back, the feed's document.

One logical primary. Where it `lags`, it applies writes but no majority confirms them: their callers see a time-out.
Then either the majority catches up, or an election takes back what only the old primary had.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from bson import Decimal128, ObjectId

from api_service.errors import DatabaseUnavailable
from api_service.feed.changes import Change, Changes, Token, TokenLost
from api_service.feed.event_log import Entry, LogEnd, UncertainAppend
from api_service.feed.lease import FeedState

BATCH = 2  # changes the stream returns at once: few, so that much can happen between two batches

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class _Feed(NamedTuple):
    checkpoint: Token
    owner: str | None = None
    expired: bool = True
    relayed: int | None = None


class Cursor:
    """A change stream's place; None once it has returned an `invalidate`."""

    def __init__(self, at: int) -> None:
        self.at: int | None = at


class Mongo:
    """The database's state and what each call does to it."""

    def __init__(self, *, unique_numbers: bool = True, epochs: bool = True) -> None:
        self._unique_numbers = unique_numbers
        self._has_epochs = epochs
        self._clock = 0
        self._epochs = 0
        self._oplog_begins = 0
        self.changes: list[Change] = []
        self.products: dict[ObjectId, dict[str, Any]] = {}
        self.entries: dict[int, Entry] = {}
        self.majority = 0
        self._shown = 0
        self.lags = False
        self._feed = self._safe_feed = _Feed(_token(0))
        self.epoch = ""
        self.lives = 0
        self.begun_after = 0
        self.replace(0)

    # What happens to it.

    def replace(self, keep: int) -> None:
        """Start a new life: a wiped database (nothing kept), or a backup that holds the log up to the number `keep`.

        The operator stops the replicas for it. No token of the old oplog means anything in the new one.
        """
        self.lives += 1
        self._epochs += 1 if self._has_epochs or not self._epochs else 0
        self.epoch = f"e{self._epochs}"
        self.lags = False
        self.entries = {seq: entry for seq, entry in self.entries.items() if seq <= min(keep, self.majority)}
        self.majority = self._shown = max(self.entries, default=0)
        self.changes, self.products = [], {}
        self._tick()
        self._oplog_begins = self.begun_after = self._clock
        checkpoint = self._feed.checkpoint if self.entries else _token(self._clock)
        self._feed = self._safe_feed = _Feed(checkpoint)

    def write(self, kind: str) -> None:
        """Commit a change of a product, or of something that is none."""
        self._tick()
        newest = max(self.products, default=None)
        if kind in {"a", "b", "junk"} or newest is None:
            self._insert(kind)
        elif kind == "move":
            before = self.products[newest]
            category = "a" if before["category"] == "b" else "b"
            self.products[newest] = {**before, "category": category, "version": before["version"] + 1}
            self._commit("update", newest, self.products[newest], before)
        elif kind == "delete":
            self._commit("delete", newest, None, self.products.pop(newest))
        else:
            self.products.clear()
            self._commit("invalidate", None)

    def other_traffic(self) -> None:
        """Commit something that is not about products."""
        self._tick()

    def lose_oplog(self) -> None:
        """Drop all of the oplog: only those who have read everything can go on."""
        self._tick()
        self._oplog_begins = self._clock

    def lag(self) -> None:
        """Stop confirming writes."""
        self.lags = True

    def catch_up(self) -> None:
        """Confirm all that was written."""
        self.lags = False
        self.majority = self._shown = max(self.entries, default=self.majority)
        self._safe_feed = self._feed

    def elect(self) -> None:
        """Take back what was not confirmed. The new primary shows an older end until it has confirmed something."""
        self.lags = False
        self.entries = {seq: entry for seq, entry in self.entries.items() if seq <= self.majority}
        self._shown = max(min(self.entries, default=0), self.majority - 2)
        self._feed = self._safe_feed

    def expire_lease(self) -> None:
        """Let the lease run out."""
        self._feed = self._feed._replace(expired=True)

    # The change stream.

    def open(self, start_after: Token | None) -> tuple[Cursor, Changes]:
        """Open the stream after a token, or now, and say where that is: a token of its own. Nothing is read yet."""
        self._tick()
        at = self._clock if start_after is None else int(start_after["_data"])
        return Cursor(at), Changes([], _token(at), self._now)

    def get_more(self, cursor: Cursor) -> Changes:
        """Return what was committed since."""
        if cursor.at is None:
            raise DatabaseUnavailable("the cursor is closed")
        if not self._oplog_begins <= cursor.at <= self._clock:
            raise TokenLost("not in the oplog")
        batch = [change for change in self.changes if int(change.token["_data"]) > (cursor.at or 0)][:BATCH]
        for index, change in enumerate(batch):
            if change.operation == "invalidate":
                cursor.at = None
                return Changes(batch[: index + 1], change.token, self._now)
        cursor.at = int(batch[-1].token["_data"]) if len(batch) == BATCH else self._clock
        return Changes(batch, _token(cursor.at), self._now)

    # The event log.

    def append(self, entries: Sequence[Entry]) -> None:
        """Insert in order, up to the first number that is taken."""
        for entry in entries:
            if self._unique_numbers and entry.seq in self.entries:
                self._confirm("the append")
                raise UncertainAppend(f"{entry.seq} is taken")
            self.entries[entry.seq] = entry
        self._confirm("the append")

    def end(self, *, local: bool = False) -> LogEnd:
        """Return the newest entry that no election can take back; with `local` whatever the primary has."""
        newest = max((seq for seq in self.entries if local or seq <= self._shown), default=None)
        return LogEnd(newest, self.entries[newest].token) if newest else LogEnd(0, None)

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return the next entries beyond a number, of those that no election can take back."""
        return [self.entries[seq] for seq in self.safe_numbers if after < seq <= self._shown][:limit]

    @property
    def safe_numbers(self) -> list[int]:
        """The numbers that no election can take back."""
        return sorted(seq for seq in self.entries if seq <= self.majority)

    def start(self, end: int, max_events: int) -> int:
        """Return the number after which the last entries begin that hang together."""
        start = end
        while end - start < max_events and start in self.entries:
            start -= 1
        return start

    def remove(self, last: int, limit: int) -> int:
        """Remove the oldest entries."""
        if self.lags:
            raise DatabaseUnavailable("no majority confirms the removal")
        gone = [seq for seq in sorted(self.entries)[:limit] if seq <= last]
        for seq in gone:
            del self.entries[seq]
        self.catch_up()
        return len(gone)

    # The feed's document.

    def take_lease(self, owner: str) -> FeedState | None:
        """Take the lease if it is free."""
        return self._hold(owner, None) if self._feed.expired else None

    def renew_lease(self, owner: str, relayed: int | None) -> FeedState | None:
        """Prolong the lease if it is the caller's, also where it has run out."""
        return self._hold(owner, relayed) if self._feed.owner == owner else None

    def begin_epoch(self, owner: str, old: str) -> None:
        """Replace an epoch whose numbers are not all in the log any more."""
        if self._has_epochs and self.epoch == old and self._feed.owner == owner:
            self._epochs += 1
            self.epoch = f"e{self._epochs}"

    def release_lease(self, owner: str) -> None:
        """Let another replica lead."""
        if self._feed.owner == owner:
            self._feed = self._feed._replace(owner=None, expired=True)

    def checkpoint(self, owner: str, token: Token) -> None:
        """Remember a token for whoever leads next, if the lease is the caller's."""
        if self._feed.owner == owner:
            self._feed = self._feed._replace(checkpoint=token)
            self._confirm("the checkpoint")

    def _hold(self, owner: str, relayed: int | None) -> FeedState:
        told = self._feed.relayed if relayed is None else relayed
        self._feed = self._feed._replace(owner=owner, expired=False, relayed=told)
        self._confirm("the lease")
        return FeedState(self.epoch, self._feed.checkpoint, told)

    def _confirm(self, what: str) -> None:
        if self.lags:
            raise DatabaseUnavailable(f"no majority confirms {what}")
        self.catch_up()

    def _insert(self, kind: str) -> None:
        key = ObjectId(f"{self._clock:024x}")
        document = {"_id": key, "name": "Moka", "price": Decimal128("1"), "version": 1}
        if kind == "junk":
            self._commit("insert", key, {"_id": key})
            return
        self.products[key] = {**document, "category": "b" if kind == "b" else "a"}
        self._commit("insert", key, self.products[key])

    def _commit(self, operation: str, key: Any, after: Any = None, before: Any = None) -> None:
        token = _token(self._clock)
        self.changes.append(Change(operation, key, after, before, image_lost=False, time=self._now, token=token))

    def _tick(self) -> None:
        self._clock += 1

    @property
    def _now(self) -> datetime:
        return _BEGIN + timedelta(seconds=self._clock)


def _token(moment: int) -> Token:
    return {"_data": f"{moment:08d}"}
