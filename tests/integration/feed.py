"""The feed's parts on a real MongoDB, for tests that put them together in their own way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from bson import Decimal128, ObjectId

from api_service.database import Database, open_database
from api_service.feed.event_log import EventLog
from api_service.feed.lease import Lease
from api_service.feed.sequencer import Sequencer
from api_service.schema import prepare_schema
from api_service.settings import Settings
from shared.events import Event
from tests.waiting import eventually

SECRET = "a secret of sixteen or more"


def settings(url: str, **fields: Any) -> Settings:
    return Settings.model_validate({"mongo_url": url, "emitter_secret": SECRET, **fields})


def product(name: str = "Moka", **fields: Any) -> dict[str, Any]:
    """Return a document as a program that knows nothing of Storecast would store it."""
    return {"_id": ObjectId(), "name": name, "price": Decimal128("9.90"), **fields}


class Feed:
    """A candidate's parts, without the campaign."""

    def __init__(self, database: Database, instance: str) -> None:
        self.database = database
        self.products = database.handle["products"]
        self.lease = Lease(database, instance)
        self.log = EventLog(database)
        self.prepare = partial(prepare_schema, database, self.lease)
        self.sequencer = Sequencer(database, self.lease, self.log, self.prepare)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, instance: str = "api-1") -> AsyncIterator["Feed"]:
        """Connect, and prepare the schema."""
        # Long deadlines: a busy machine is not what these tests are about.
        async with open_database(settings(url, database_timeout_ms=30_000)) as database:
            feed = cls(database, instance)
            await feed.prepare()
            yield feed

    @asynccontextmanager
    async def sequencing(self) -> AsyncIterator[None]:
        """Number what is committed, for as long as the context lasts."""
        state = await self.lease.take()
        document = await self.database.handle["feed"].find_one()
        assert document is not None
        running = asyncio.create_task(self.sequencer.run(state.checkpoint if state else document["checkpoint"]))
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def events(self, count: int) -> list[Event]:
        """Wait until the log has so many events, and return all of it."""

        async def enough() -> list[Event] | None:
            events = await self.log.read(0, count + 10)
            return events if len(events) >= count else None

        return await eventually(enough, message=f"{count} events in the log")
