"""The log of numbered events that all emitters read: one Redis Stream for each epoch, with the ids `<seq>-0`.

https://redis.io/docs/latest/develop/data-types/streams/
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from shared.emitter_api import Batch, EmitterPosition
from ws_service.cluster.redis import Fields, Streams, translated
from ws_service.ingest.entry import Entry
from ws_service.ingest.hub import Hub
from ws_service.ingest.intake import Taken

_PREFIX = "storecast:events:"
_STATE = "storecast:log"
_APPEND = (Path(__file__).parent / "append.lua").read_text()

_HEAD, _PAYLOAD = b"h", b"p"


class SharedLog:
    """The log. Nobody keeps its position in mind: the script that appends says where it is."""

    def __init__(self, redis: Streams, keep_events: int, keep_bytes: int) -> None:
        self._redis = redis
        self._keep = (keep_events, keep_bytes)
        self._append = redis.register_script(_APPEND)

    async def append(self, batch: Batch) -> Taken:
        """Append what follows the position; raise Unencodable, RedisUnavailable."""
        entries = [Entry.of(event) for event in batch.events]
        closes_at = "" if batch.position is None else str(batch.position)
        mode = "history" if batch.history else "live"
        arguments = [_PREFIX, batch.epoch, mode, closes_at, *self._keep, *_arguments(entries)]
        with translated():
            taken, epoch, position = await self._append(keys=[_STATE, log_of(batch.epoch)], args=arguments)
        return Taken(bool(taken), _position(epoch, position))

    async def position(self) -> EmitterPosition:
        """Return the epoch in force and where its log ends; raise RedisUnavailable."""
        with translated():
            return _position(*await self._redis.hmget(_STATE, ["epoch", "position"]))

    async def read(self, epoch: str, after: int, until: int, count: int) -> list[Entry]:
        """Return the next events beyond the number `after`, up to `until`; raise RedisUnavailable."""
        with translated():
            found = await self._redis.xrange(log_of(epoch), f"{after + 1}-0", f"{until}-0", count=count)
        return [entry_of(*each) for each in found]


class LogIntake:
    """The intake of one of many emitters: whichever is posted to writes for all."""

    def __init__(self, log: SharedLog, hub: Hub) -> None:
        self._log = log
        self._hub = hub

    async def take(self, batch: Batch) -> Taken:
        """Append a batch to the log."""
        if batch.position is not None and self._would_end_before_us(batch):
            return Taken(taken=False, position=self._hub.answer())
        return await self._log.append(batch)

    async def position(self) -> EmitterPosition:
        """Return where the log ends."""
        return await self._log.position()

    def _would_end_before_us(self, batch: Batch) -> bool:
        # Of an emptied Redis only the emitters know that the epoch was further on: the relay's log was put back to an
        # earlier day under the same epoch, and would give numbers a second time. Our position makes it see that.
        known = self._hub.position
        return known is not None and batch.epoch == known.epoch and (batch.position or 0) < known.seq


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
        for argument in (entry.seq, orjson.dumps([entry.id, entry.event, entry.topics, entry.time]), entry.payload)
    ]


def _position(epoch: bytes | None, position: bytes | None) -> EmitterPosition:
    return EmitterPosition(epoch=epoch.decode() if epoch else None, position=int(position) if position else None)
