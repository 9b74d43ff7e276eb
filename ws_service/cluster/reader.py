"""Follows the log and the letters in Redis, with a place of its own in either, and passes on what comes."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from shared.backoff import Backoff
from shared.emitter_api import MAX_BATCH_BYTES
from ws_service import metrics
from ws_service.cluster.letters import KEPT_S, LETTERS, Letter, LetterStream, order_of
from ws_service.cluster.redis import BLOCK_MS, RedisUnavailable, Row, Streams, is_cancelled, translated
from ws_service.cluster.shared_log import SharedLog, entry_of, log_of
from ws_service.ingest.entry import Entry
from ws_service.ingest.hub import Hub

_MOST_AT_ONCE = 200
_LOOK_EVERY_S = 1.0
_WITHOUT_LOG_MS = 100
# A Redis that was put back to an earlier day may name an old epoch, until the relay has corrected it.
_BELIEVE_AFTER_S = 2.0

_log = structlog.get_logger(__name__)


class Reader:
    """One loop for both: who hears its own letters here hears the events, too.

    The hub's position is the place in the log. So what Redis lost and was given again, or a replica that was behind
    when it took over, is neither skipped nor repeated: an emitter asks for what comes after its own. Nobody else moves
    the hub of one of many, so that it is where it was when an answer comes.
    """

    def __init__(
        self, redis: Streams, log: SharedLog, letters: LetterStream, hub: Hub, hear: Callable[[Letter], None]
    ) -> None:
        self._redis = redis
        self._shared_log = log
        self._letters = letters
        self._hub = hub
        self._hear = hear
        # Fewer after a read that took too long: it would take as long again.
        self._at_once = _MOST_AT_ONCE
        self._looked_at = -_LOOK_EVERY_S
        self._read_at = time.monotonic()
        self._other_epoch: tuple[str, float] | None = None
        self.place: bytes | None = None
        """The last letter that was read."""

    async def run(self) -> None:
        """Follow until cancelled."""
        backoff = Backoff()
        is_told = False
        while not is_cancelled():
            try:
                await self._step()
            except RedisUnavailable as error:
                metrics.redis_failures.inc()
                if not is_told:
                    _log.warning("Redis cannot be read", error=str(error.__cause__))
                is_told = True
                self._at_once = max(1, self._at_once // 2)
                await asyncio.sleep(backoff.next_s())
            except Exception:  # noqa: BLE001  # logged, and the emitter says that it is deaf
                metrics.redis_failures.inc()
                _log.exception("what came from Redis cannot be read")
                await asyncio.sleep(backoff.next_s())
            else:
                is_told = False
                self._at_once = min(_MOST_AT_ONCE, self._at_once * 2)
                backoff.reset()

    def rewind(self, letter: bytes) -> None:
        """Read from a letter on that was just written: it stands before our place, so that Redis' clock went back."""
        milliseconds, number = order_of(letter)
        self.place = b"%d-%d" % (milliseconds, number - 1) if number else b"%d" % (milliseconds - 1)

    async def _step(self) -> None:
        if self.place is None:
            self.place = await self._letters.end()
        if time.monotonic() - self._looked_at >= _LOOK_EVERY_S or self._hub.position is None:
            await self._look()
        found = await self._read(self.place)
        # Events first: they are what the promise is about.
        if (position := self._hub.position) and (rows := found.get(log_of(position.epoch).encode())):
            await self._take(position.epoch, [entry_of(*row) for row in rows])
        for number, fields in found.get(LETTERS.encode(), ()):
            self.place = number
            try:
                if letter := self._letters.read(fields):
                    self._hear(letter)
            except Exception as error:  # noqa: BLE001  # one of another version, or a fault: the next one is read
                _log.error("a letter cannot be read", number=number.decode(), error=repr(error)[:200])

    async def _read(self, place: bytes) -> dict[bytes, list[Row]]:
        places: dict[str, bytes | str] = {LETTERS: place}
        if position := self._hub.position:
            places[log_of(position.epoch)] = f"{position.seq}-0"
        with translated():
            found = await self._redis.xread(places, self._at_once, BLOCK_MS if position else _WITHOUT_LOG_MS)
        if time.monotonic() - self._read_at > KEPT_S:
            _log.warning("letters of the time without Redis may be lost", seconds=time.monotonic() - self._read_at)
        self._read_at = time.monotonic()
        return dict(found)

    async def _take(self, epoch: str, entries: Sequence[Entry]) -> None:
        # As much at a time as the relay would post: more would be dropped from the history before it was sent.
        for part in _parts(entries):
            if not self._hub.take_live(epoch, part):
                # Too long without Redis: what comes next was dropped there. The sockets come again, and are told.
                _log.error("the log in Redis does not reach back to this emitter", log_goes_on_at=part[0].seq)
                metrics.conflicts.inc()
                self._hub.forget(epoch)
                return
            await asyncio.sleep(0)

    async def _look(self) -> None:
        """Read the history where there is none, or where it is another epoch's."""
        found = await self._shared_log.position()
        self._looked_at = time.monotonic()
        if (epoch := found.epoch) is None or (position := found.position) is None:
            return
        metrics.redis_position.set(position)
        known = self._hub.position
        if known is None or (known.epoch != epoch and self._believes(epoch)):
            await self._restore(epoch, position)

    def _believes(self, epoch: str) -> bool:
        now = time.monotonic()
        if self._other_epoch is None or self._other_epoch[0] != epoch:
            self._other_epoch = (epoch, now)
        return now - self._other_epoch[1] >= _BELIEVE_AFTER_S

    async def _restore(self, epoch: str, position: int) -> None:
        self._other_epoch = None
        after = 0
        while after < position and (entries := await self._shared_log.read(epoch, after, position, self._at_once)):
            self._hub.take_history(epoch, entries, None)
            after = entries[-1].seq
        if not self._hub.take_history(epoch, [], position):
            _log.warning("the log in Redis has changed while it was read", epoch=epoch, position=position)


def _parts(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + entry.size > MAX_BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += entry.size
    if part:
        yield part
