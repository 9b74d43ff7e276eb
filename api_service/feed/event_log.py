"""The `events` collection: the numbered log that everything downstream is read from.

`_id` is `seq`: the unique key is the fence. Whoever appends under a number that is taken learns it from the server.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple

from pymongo.errors import BulkWriteError

from api_service.database import Database, Document
from api_service.feed.changes import Token
from api_service.feed.newest import Newest, Sized
from api_service.products.schemas import rfc3339
from shared.emitter_api import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from shared.events import Event

COLLECTION = "events"
MAX_READ_BYTES = 8 * 1024 * 1024

_SIZES = 500


class UncertainAppend(Exception):
    """The append was not a clean success: what the log ends with has to be read again."""


class Entry(NamedTuple):
    """One numbered event as it is stored, with the token of the change that it was made from."""

    seq: int
    id: str
    event: str
    payload: Mapping[str, Any]
    topics: list[str]
    time: datetime
    token: Token

    def document(self) -> Document:
        """Return the form in which it is stored."""
        return {"_id": self.seq, **{field: value for field, value in self._asdict().items() if field != "seq"}}


class LogEnd(NamedTuple):
    """The newest entry's number and token; 0 and None in an empty log."""

    seq: int
    token: Token | None


class EventLog:
    """Reads and appends. All of it on the primary, at read concern `majority`: what it returns stays true.

    What was appended last is remembered for the relay, which reads it next: a majority has it, under numbers that
    nothing else can have, so that it is as true as what would be read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events = database.handle[COLLECTION]
        self._newest = Newest(MAX_BATCH_EVENTS, MAX_BATCH_BYTES)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append consecutive entries.

        Raises:
            UncertainAppend: a number was taken (perhaps by our own lost answer), or only part was acknowledged.
            DatabaseUnavailable: no answer; what was stored is unknown.
        """
        try:
            await self._insert(entries)
        except BaseException:
            self._newest.clear()
            raise
        self._newest.add([_event(entry.document()) for entry in entries])

    def ends_at(self, seq: int) -> bool:
        """Tell whether the last append that was made here ended with the number `seq`."""
        return self._newest.ends_at(seq)

    async def _insert(self, entries: Sequence[Entry]) -> None:
        try:
            async with self._database.call():
                await self._events.insert_many([entry.document() for entry in entries])
        except BulkWriteError as error:
            # Not the details as they are: the documents stand in them.
            raise UncertainAppend(_reasons(error)) from error

    async def end(self) -> LogEnd:
        """Return where the log ends."""
        async with self._database.call():
            newest = await self._events.find_one({}, {"token": 1}, sort=[("_id", -1)])
        return LogEnd(newest["_id"], newest["token"]) if newest else LogEnd(0, None)

    async def last_before(self, moment: datetime) -> int:
        """Return the number up to which every event was committed before `moment`: one less than the oldest's if none.

        It is searched for by halving, since the times rise with the numbers: some twenty small reads, however much of
        the log is that old.
        """
        low, high = (await self.first_seq() or 1) - 1, (await self.end()).seq
        while low < high:
            middle = (low + high + 1) // 2
            time = await self.oldest_after(middle - 1)
            if time is not None and time < moment:
                low = middle
            else:
                high = middle - 1
        return low

    async def remove(self, last: int, limit: int) -> int:
        """Remove up to `limit` of the oldest events, none beyond the number `last`; return how many went."""
        self._newest.clear()
        first = await self.first_seq()
        if first is None or first > last:
            return 0
        async with self._database.call():
            return (await self._events.delete_many({"_id": {"$lte": min(last, first + limit - 1)}})).deleted_count

    async def park(self, seq: int, reason: str) -> None:
        """Mark an event that the emitter cannot take: its number stays, nobody hears it."""
        self._newest.clear()
        async with self._database.call():
            await self._events.update_one({"_id": seq}, {"$set": {"parked": reason}})

    async def oldest_after(self, seq: int) -> datetime | None:
        """Return when the first event beyond the number `seq` was committed; None if there is none."""
        async with self._database.call():
            found = await self._events.find_one({"_id": {"$gt": seq}}, {"time": 1}, sort=[("_id", 1)])
        return found["time"] if found else None

    async def first_seq(self) -> int | None:
        """Return the oldest number that is kept; None for an empty log."""
        async with self._database.call():
            oldest = await self._events.find_one({}, {"_id": 1}, sort=[("_id", 1)])
        return oldest["_id"] if oldest else None

    async def history_start(self, end: int, max_events: int, max_bytes: int) -> int:
        """Return the number after which the recent history begins.

        Args:
            end: The newest event of the history.
            max_events: How many events it may have.
            max_bytes: How large they may be together, as they are stored.
        """
        start = end
        while wanted := min(max_events - (end - start), _SIZES):
            sizes = await self._sizes(start, wanted)
            for seq, size in sizes:
                max_bytes -= size
                if max_bytes < 0 or seq != start:
                    return start
                start -= 1
            if len(sizes) < wanted:
                break
        return start

    async def _sizes(self, last: int, limit: int) -> list[tuple[int, int]]:
        """Return the numbers and sizes of the events up to `last`, newest first. Only these travel."""
        async with self._database.call():
            found = self._events.find({"_id": {"$lte": last}}, {"size": {"$bsonSize": "$$ROOT"}})
            return [(each["_id"], each["size"]) for each in await found.sort("_id", -1).limit(limit).to_list(limit)]

    async def read(self, after: int, limit: int, max_bytes: int = MAX_READ_BYTES) -> list[Event]:
        """Return the next events beyond the number `after`, oldest first: at least one if there is any.

        Args:
            after: Where to begin.
            limit: How many events at most.
            max_bytes: How large they may be together, as JSON.
        """
        if (newest := self._newest.read(after)) is not None:
            return [each.event for each in takewhile(_Room(max_bytes).takes, newest[:limit])]
        return await self._find(after, limit, max_bytes)

    async def _find(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        events: list[Event] = []
        if not limit:
            return events  # 0 is MongoDB's word for no limit
        room = _Room(max_bytes)
        async with self._database.call():
            cursor = self._events.find({"_id": {"$gt": after}}, {"token": 0}).sort("_id", 1).limit(limit)
            # The server ends each of its batches at 16 MB: no more than that is ever held here.
            async for document in cursor.batch_size(limit):
                found = Sized.of(_event(document))
                if not room.takes(found):
                    break
                events.append(found.event)
            await cursor.close()
        return events


def _reasons(error: BulkWriteError) -> str:
    failed = [*error.details["writeErrors"], *error.details["writeConcernErrors"]]
    return "; ".join(str(each["errmsg"]) for each in failed)


class _Room:
    """Room for events up to a size, as JSON; and for the first one in any case."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._is_empty = True

    def takes(self, found: Sized) -> bool:
        self._left -= found.size
        takes = self._is_empty or self._left >= 0
        self._is_empty = False
        return takes


def _event(document: Document) -> Event:
    if "parked" in document:
        return Event(seq=document["_id"], event=None)
    # Our own entries: nothing in them needs to be checked again.
    return Event.model_construct(
        seq=document["_id"],
        id=document["id"],
        event=document["event"],
        payload=document["payload"],
        topics=tuple(document["topics"]),
        time=rfc3339(document["time"]),
    )
