"""The log of numbered events that all emitters read: one Redis Stream for each epoch, with the ids `<seq>-0`.

https://redis.io/docs/latest/develop/data-types/streams/
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from shared.emitter_api import Batch, EmitterPosition
from ws_service.cluster.redis import Fields, Streams, translated
from ws_service.ingest.entry import Entry
from ws_service.ingest.intake import Taken

_PREFIX = "storecast:events:"
_STATE = "storecast:log"
_APPEND = (Path(__file__).parent / "append.lua").read_text()

_HEAD, _PAYLOAD = b"h", b"p"


class Place(NamedTuple):
    """The epoch in force and where its log ends; `position` is None until a hand-over is closed."""

    epoch: str | None
    position: int | None


class EventStream:
    """The log. Nobody keeps its position in mind: the script that appends says where it is."""

    def __init__(self, redis: Streams, keep_events: int) -> None:
        self._redis = redis
        self._keep = keep_events
        self._append = redis.register_script(_APPEND)

    async def append(self, batch: Batch) -> tuple[bool, Place]:
        """Append what follows the position; raise Unencodable, RedisUnavailable."""
        entries = [Entry.of(event) for event in batch.events]
        closes_at = "" if batch.position is None else str(batch.position)
        mode = "history" if batch.history else "live"
        arguments = [_PREFIX, batch.epoch, mode, closes_at, self._keep, *_arguments(entries)]
        with translated():
            taken, epoch, position = await self._append(keys=[_STATE, log_of(batch.epoch)], args=arguments)
        return bool(taken), _place(epoch, position)

    async def place(self) -> Place:
        """Return where the log is; raise RedisUnavailable."""
        with translated():
            return _place(*await self._redis.hmget(_STATE, ["epoch", "position"]))

    async def read(self, epoch: str, after: int, until: int, count: int) -> list[Entry]:
        """Return the events beyond the number `after`, up to `until`; raise RedisUnavailable."""
        with translated():
            found = await self._redis.xrange(log_of(epoch), f"{after + 1}-0", f"{until}-0", count=count)
        return [entry_of(*each) for each in found]


class StreamIntake:
    """The intake of one of many emitters: whichever is posted to writes for all."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    async def take(self, batch: Batch) -> Taken:
        """Append a batch to the log."""
        taken, place = await self._stream.append(batch)
        return Taken(taken, EmitterPosition(**place._asdict()))

    async def position(self) -> EmitterPosition:
        """Return where the log ends."""
        return EmitterPosition(**(await self._stream.place())._asdict())


def log_of(epoch: str) -> str:
    """Return the key of an epoch's log."""
    return f"{_PREFIX}{epoch}"


def entry_of(number: bytes, fields: Fields) -> Entry:
    """Read an event. Its payload stays as it was encoded."""
    identity, event, topics, time = orjson.loads(fields[_HEAD])
    return Entry(int(number.partition(b"-")[0]), identity, event, fields[_PAYLOAD], tuple(topics), time)


def _arguments(entries: Iterable[Entry]) -> list[Any]:
    return [
        argument
        for entry in entries
        for argument in (
            entry.seq,
            orjson.dumps([entry.id, entry.event, entry.topics, entry.time]),
            entry.payload,
        )
    ]


def _place(epoch: bytes | None, position: bytes | None) -> Place:
    return Place(epoch.decode() if epoch else None, int(position) if position else None)
