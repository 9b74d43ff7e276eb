"""What was committed, as MongoDB itself tells: the checker's own change stream, apart from all that is judged."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from pymongo import AsyncMongoClient
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import PyMongoError

from tests.chaos.judge import Change

_EVENTS = {
    "insert": "new_product",
    "update": "product_updated",
    "replace": "product_updated",
    "delete": "product_deleted",
}
_ANSWER_MS = 5_000
_WAIT_MS = 500
_AGAIN_AFTER_S = 0.2
_OPEN_WITHIN_S = 30


class Committed:
    """Every committed change, in commit order, and when it was committed."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.times_ms: list[float] = []
        self.troubles: list[str] = []
        self._token: Mapping[str, Any] | None = None
        # The driver loses a cancellation that comes as it has just sent something: `asyncio.wait_for` of Python 3.11.
        self._is_over = False

    @classmethod
    @asynccontextmanager
    async def watching(cls, mongo_url: str) -> AsyncIterator[Self]:
        """Watch from now on, over every election."""
        committed = cls()
        opened = asyncio.Event()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            mongo_url,
            # A member that was stopped does not hang up: its answer is waited for so long, then the next one is asked.
            socketTimeoutMS=_ANSWER_MS,
            connectTimeoutMS=_ANSWER_MS,
            serverSelectionTimeoutMS=_ANSWER_MS,
            tz_aware=True,
        )
        async with client, asyncio.TaskGroup() as group:
            watching = group.create_task(committed._watch(client, opened))
            try:
                await asyncio.wait_for(opened.wait(), _OPEN_WITHIN_S)
                yield committed
            finally:
                committed._is_over = True
                watching.cancel()

    def created(self) -> set[str]:
        """Return the ids of the products that were created."""
        return {change.product for change in self.changes if change.event == _EVENTS["insert"]}

    async def _watch(self, client: AsyncMongoClient[dict[str, Any]], opened: asyncio.Event) -> None:
        products = client.get_default_database()["products"]
        while not self._is_over:
            try:
                async with await products.watch(
                    full_document="whenAvailable",
                    full_document_before_change="whenAvailable",
                    resume_after=self._token,
                    max_await_time_ms=_WAIT_MS,
                ) as stream:
                    await self._read(stream, opened)
            except PyMongoError as error:
                self.troubles.append(str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)

    async def _read(self, stream: AsyncChangeStream[dict[str, Any]], opened: asyncio.Event) -> None:
        while not self._is_over:
            event = await stream.try_next()
            # Also the token of a stream without a change yet, so that nothing before the first one can be missed.
            self._token = stream.resume_token
            opened.set()
            if event is not None:
                self.take(event)

    def take(self, event: Mapping[str, Any]) -> None:
        """Take down a change event (MongoDB manual, "Change Events")."""
        image = event["fullDocumentBeforeChange" if event["operationType"] == "delete" else "fullDocument"]
        self.changes.append(Change(_EVENTS[event["operationType"]], str(event["documentKey"]["_id"]), image["version"]))
        self.times_ms.append(event["wallTime"].timestamp() * 1e3)
