"""The `events` collection: the numbered log that everything downstream is read from.

`_id` is `seq`: the unique key is the fence. Whoever appends under a number that is taken learns it from the server.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pymongo.errors import BulkWriteError

from api_service.database import Database, Document
from api_service.feed.changes import Token
from api_service.products.schemas import rfc3339
from shared.events import Event

COLLECTION = "events"


class UncertainAppend(Exception):
    """The append was not a clean success: what the log ends with has to be read again."""


class Entry(NamedTuple):
    """One numbered event as it is stored, with the token of the change that it was made from."""

    seq: int
    id: str
    event: str
    payload: dict[str, Any]
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
    """Reads and appends. All of it on the primary, at read concern `majority`: what it returns stays true."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events = database.handle[COLLECTION]

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append consecutive entries.

        Raises:
            UncertainAppend: a number was taken (perhaps by our own lost answer), or only part was acknowledged.
            DatabaseUnavailable: no answer; what was stored is unknown.
        """
        try:
            async with self._database.call():
                await self._events.insert_many([entry.document() for entry in entries])
        except BulkWriteError as error:
            raise UncertainAppend(str(error.details)) from error

    async def end(self) -> LogEnd:
        """Return where the log ends."""
        async with self._database.call():
            newest = await self._events.find_one({}, {"token": 1}, sort=[("_id", -1)])
        return LogEnd(newest["_id"], newest["token"]) if newest else LogEnd(0, None)

    async def last_before(self, moment: datetime) -> int:
        """Return the number up to which every event was committed before `moment`; 0 if the oldest was not."""
        async with self._database.call():
            # In the order of the numbers, from the oldest on: what is read is what will be removed, and one more.
            kept = await self._events.find_one({"time": {"$gte": moment}}, {"_id": 1}, sort=[("_id", 1)])
        return (kept["_id"] if kept else (await self.end()).seq + 1) - 1

    async def remove(self, last: int, limit: int) -> int:
        """Remove up to `limit` of the oldest events, none beyond the number `last`; return how many went."""
        first = await self.first_seq()
        if first is None or first > last:
            return 0
        async with self._database.call():
            return (await self._events.delete_many({"_id": {"$lte": min(last, first + limit - 1)}})).deleted_count

    async def park(self, seq: int, reason: str) -> None:
        """Mark an event that the emitter cannot take: its number stays, nobody hears it."""
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

    async def read(self, after: int, limit: int) -> list[Event]:
        """Return up to `limit` events beyond the number `after`, oldest first."""
        async with self._database.call():
            found = self._events.find({"_id": {"$gt": after}}, {"token": 0}).sort("_id", 1).limit(limit)
            return [_event(document) for document in await found.to_list(limit)]


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
