"""The one document of the `feed` collection: who numbers and relays, how far the changes were read, and the epoch.

Time is the server's (`$$NOW`), so that the replicas' clocks do not matter. The lease makes sure that somebody leads;
that two never do harm does not depend on it: numbers are fenced by the event log, see `sequencer.py`.
"""

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from api_service.database import Database, Document
from api_service.feed.changes import Token

COLLECTION = "feed"
LEASE_MS = 3_000

_ID = "feed"
# `$$NOW` is when a command came, and stays that while it waits for another that writes the same document: a lease that
# was given meanwhile ends later than any from this now. Nothing waits there for as long as this.
_WAIT_MS = 10_000
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def _from_now(milliseconds: int) -> Document:
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}}


class FeedState(NamedTuple):
    """What whoever leads needs to know."""

    epoch: str
    checkpoint: Token
    relayed: int | None


class Leadership(NamedTuple):
    """What anybody may know. `relayed` is the newest event that a leader saw the emitter take."""

    epoch: str
    leader: str | None
    relayed: int | None = None


class Lease:
    """This process's claim to lead. `instance` is its public name."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database = database
        self._feed = database.handle[COLLECTION]
        self._instance = instance
        # A restarted replica must not take itself for its predecessor, whose writes may still be on their way.
        self._owner = f"{instance}/{secrets.token_hex(8)}"

    async def create(self, checkpoint: Token) -> None:
        """Make the document with a new epoch, unless there is one."""
        document = {"epoch": secrets.token_hex(8), "owner": None, "expires_at": _NEVER, "checkpoint": checkpoint}
        async with self._database.call():
            with suppress(DuplicateKeyError):  # another replica was first
                await self._feed.update_one({"_id": _ID}, {"$setOnInsert": document}, upsert=True)

    async def exists(self) -> bool:
        """Tell whether the document is there."""
        async with self._database.call():
            return await self._feed.find_one({"_id": _ID}, {"_id": 1}) is not None

    async def take(self) -> FeedState | None:
        """Take the lease if it is free; None if a replica has it."""
        free = {
            "$or": [
                {"$lte": ["$expires_at", "$$NOW"]},
                # Given by a primary whose clock was far ahead: it would be valid for as long as that.
                {"$gt": ["$expires_at", _from_now(LEASE_MS + _WAIT_MS)]},
            ]
        }
        return await self._hold({"$expr": free}, {})

    async def renew(self, relayed: int | None) -> FeedState | None:
        """Prolong the lease; None if it is not ours any more.

        Unlike `take` it does not take a free one: an answer that was given up may come after the release.
        `relayed` is told to the other replicas with it. It is for those who watch: no relay starts from it.
        """
        return await self._hold({"owner": self._owner}, {} if relayed is None else {"relayed": relayed})

    async def _hold(self, condition: Document, told: Document) -> FeedState | None:
        held = {"owner": self._owner, "instance": self._instance, "expires_at": _from_now(LEASE_MS)}
        async with self._database.call():
            document = await self._feed.find_one_and_update(
                {"_id": _ID, **condition}, [{"$set": {**told, **held}}], return_document=ReturnDocument.AFTER
            )
        return FeedState(document["epoch"], document["checkpoint"], document.get("relayed")) if document else None

    async def begin_epoch(self, old: str) -> None:
        """Replace the epoch `old` by a new one, if the lease is ours: what was heard in it is not in the log."""
        async with self._database.call():
            await self._feed.update_one(
                {"_id": _ID, "owner": self._owner, "epoch": old},
                {"$set": {"epoch": secrets.token_hex(8)}, "$unset": {"relayed": ""}},
            )

    async def release(self) -> None:
        """Let another replica lead at once, if the lease is ours."""
        await self._update({"owner": None, "expires_at": _NEVER})

    async def checkpoint(self, token: Token) -> None:
        """Remember that every change up to `token` is in the log, if the lease is ours."""
        await self._update({"checkpoint": token})

    async def _update(self, fields: Document) -> None:
        async with self._database.call():
            await self._feed.update_one({"_id": _ID, "owner": self._owner}, {"$set": fields})


async def read_leadership(database: Database) -> Leadership:
    """Return the epoch and the instance that holds the lease now, if any does."""
    live: list[Any] = [
        {"$match": {"_id": _ID}},
        {
            "$project": {
                "epoch": 1,
                "relayed": 1,
                "leader": {"$cond": [{"$gt": ["$expires_at", "$$NOW"]}, "$instance", None]},
            }
        },
    ]
    async with database.call():
        found = await database.handle[COLLECTION].aggregate(live).to_list(1)
    return Leadership(found[0]["epoch"], found[0]["leader"], found[0].get("relayed")) if found else Leadership("", None)
