"""The change stream of `products`: every committed change, in commit order, in the batches the server makes.

The stream is driven with `aggregate` and `getMore` rather than through the driver's own cursor: one call then returns
a whole batch together with its `postBatchResumeToken`, and each failure ends the stream, so that resuming happens in
one place and always from what is in the log. https://www.mongodb.com/docs/manual/changeStreams/
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple, Self

from bson import Int64
from pymongo.errors import OperationFailure

from api_service.database import STREAM_TIMEOUT_MS, Database, Document
from api_service.errors import DatabaseUnavailable

Token = dict[str, Any]

COLLECTION = "products"
MAX_IMAGE_BYTES = 1024 * 1024
AWAIT_MS = 500
ANSWER_S = 3.0
CATCH_UP_S = STREAM_TIMEOUT_MS / 1000

_BATCH = 500
# InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost: the token leads nowhere any more.
_TOKEN_LOST = frozenset({260, 280, 286})


class TokenLost(Exception):
    """The stream cannot be resumed from its token: changes may have gone by unseen."""


class Change(NamedTuple):
    """One change event of the stream.

    `after` and `before` are the document as this very change left and found it; None where there was none, where it
    was not kept, or where it was too large. `image_lost`: MongoDB did not keep what the change left.
    """

    operation: str
    key: Any
    after: Document | None
    before: Document | None
    image_lost: bool
    time: datetime
    token: Token

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a change event (MongoDB manual, "Change Events")."""
        return cls(
            operation=event["operationType"],
            key=event.get("documentKey", {}).get("_id"),
            after=event.get("fullDocument"),
            before=event.get("fullDocumentBeforeChange"),
            # Null is MongoDB's word for it; what was too large is left out by our own pipeline.
            image_lost="fullDocument" in event and event["fullDocument"] is None,
            time=event["wallTime"],
            token=event["_id"],
        )


class Changes(NamedTuple):
    """A batch, possibly empty, the token that resumes after all of it, and the server's time."""

    batch: list[Change]
    token: Token
    server_time: datetime


class ChangeStream:
    """An open cursor on the change stream.

    `opened` is its place before anything was read. As long as nothing was, it is `catching_up`: the server may read all
    other traffic since the token before it has anything to say.
    """

    def __init__(self, database: Database, session: Any, reply: Document) -> None:
        self._database = database
        self._session = session
        self._cursor_id = Int64(reply["cursor"]["id"])
        self.opened = _changes(reply)
        self.catching_up = True

    async def next(self) -> Changes:
        """Return what was committed since; waits up to 500 ms for the first change."""
        command = {"getMore": self._cursor_id, "collection": COLLECTION, "batchSize": _BATCH, "maxTimeMS": AWAIT_MS}
        async with self._database.held_call(CATCH_UP_S if self.catching_up else ANSWER_S):
            changes = _changes(await _run(self._database, self._session, command))
        self.catching_up = False
        return changes

    async def close(self) -> None:
        """Have the server forget the cursor."""
        async with self._database.call():
            await _run(self._database, self._session, {"killCursors": COLLECTION, "cursors": [self._cursor_id]})


@asynccontextmanager
async def open_changes(database: Database, start_after: Token | None) -> AsyncIterator[ChangeStream]:
    """Open the stream after a token, or now.

    Raises:
        TokenLost: the token is not in the oplog any more, or is of another database.
    """
    # Nothing is read yet: that could take longer than a call may.
    command = {"aggregate": COLLECTION, "pipeline": _pipeline(start_after), "cursor": {"batchSize": 0}}
    # A cursor can only be read in the session that it was made in.
    async with database.call():
        session = await database.streams.client.start_session()
    async with session:
        async with database.call():
            stream = ChangeStream(database, session, await _run(database, session, command))
        try:
            yield stream
        finally:
            # Where it cannot be told, the server forgets the cursor by itself.
            with suppress(DatabaseUnavailable):
                await stream.close()


def _pipeline(start_after: Token | None) -> list[Document]:
    stage: Document = {"fullDocument": "whenAvailable", "fullDocumentBeforeChange": "whenAvailable"}
    if start_after is not None:
        # Unlike `resumeAfter`, it also goes on after an `invalidate`.
        stage["startAfter"] = start_after
    return [
        {"$changeStream": stage},
        # A change event over 16 MB cannot be delivered at all and would end the stream at each resume.
        {
            "$project": {
                "operationType": 1,
                "documentKey": 1,
                "wallTime": 1,
                "fullDocument": _unless_too_large("$fullDocument"),
                "fullDocumentBeforeChange": _unless_too_large("$fullDocumentBeforeChange"),
            }
        },
    ]


def _unless_too_large(image: str) -> Document:
    return {"$cond": [{"$gt": [{"$bsonSize": image}, MAX_IMAGE_BYTES]}, "$$REMOVE", image]}


async def _run(database: Database, session: Any, command: Document) -> Document:
    try:
        return await database.streams.command(
            command,
            session=session,
            # A bare command has the driver's defaults, not those of the client.
            codec_options=database.streams.codec_options,
            read_preference=database.streams.read_preference,
        )
    except OperationFailure as error:
        if error.code in _TOKEN_LOST:
            raise TokenLost(str(error)) from error
        raise


def _changes(reply: Document) -> Changes:
    cursor = reply["cursor"]
    return Changes(
        batch=[Change.from_event(event) for event in cursor.get("firstBatch") or cursor.get("nextBatch") or []],
        token=cursor["postBatchResumeToken"],
        server_time=reply["operationTime"].as_datetime(),
    )
