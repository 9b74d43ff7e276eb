"""Follows the log and the letters in Redis, with a place of its own in either, and passes on what comes."""

import asyncio
import time
from collections.abc import Callable

import structlog

from shared.backoff import Backoff
from ws_service import metrics
from ws_service.cluster.event_stream import EventStream, entry_of, log_of
from ws_service.cluster.letters import LETTERS, Letter, LetterStream, letter_of
from ws_service.cluster.redis import BLOCK_MS, RedisUnavailable, Row, Streams, is_cancelled, translated
from ws_service.ingest.hub import Hub

_AT_ONCE = 200
_LOOK_EVERY_S = 1.0
_WITHOUT_LOG_MS = 100

_log = structlog.get_logger(__name__)


class Reader:
    """One loop for both: who hears its own letters here hears the events, too.

    The hub's position is the place in the log. So what Redis lost and was given again, or a replica that was behind
    when it took over, is neither skipped nor repeated: an emitter asks for what comes after its own.
    """

    def __init__(self, redis: Streams, hub: Hub, history_events: int, hear: Callable[[Letter], None]) -> None:
        self._redis = redis
        self._hub = hub
        self._stream = EventStream(redis, history_events)
        self._letters = LetterStream(redis)
        self._history_events = history_events
        self._hear = hear
        self._letter: bytes | None = None
        self._looked_at = -_LOOK_EVERY_S

    async def run(self) -> None:
        """Follow until cancelled."""
        backoff = Backoff()
        while not is_cancelled():
            try:
                await self._step()
            except RedisUnavailable as error:
                metrics.redis_failures.inc()
                _log.warning("Redis cannot be read", error=str(error.__cause__))
                await asyncio.sleep(backoff.next_s())
            except Exception:  # noqa: BLE001  # logged, and the emitter says that it is deaf
                metrics.redis_failures.inc()
                _log.exception("what came from Redis cannot be read")
                await asyncio.sleep(backoff.next_s())
            else:
                backoff.reset()

    def rewind(self, letter: bytes) -> None:
        """Hear of a letter that was just written: one from before our place means that Redis' clock went back."""
        if self._letter is not None and _order(letter) < _order(self._letter):
            self._letter = b"%d-0" % (_order(letter)[0] - 1)

    async def _step(self) -> None:
        if self._letter is None:
            self._letter = await self._letters.end()
        if time.monotonic() - self._looked_at >= _LOOK_EVERY_S or self._hub.position is None:
            await self._look()
        found = await self._read(self._letter)
        if (position := self._hub.position) and (news := found.get(log_of(position.epoch).encode())):
            self._take(position.epoch, news)
        for number, fields in found.get(LETTERS.encode(), ()):
            self._letter = number
            self._hear(letter_of(fields))

    async def _read(self, letter: bytes) -> dict[bytes, list[Row]]:
        places: dict[str, bytes | str] = {LETTERS: letter}
        if position := self._hub.position:
            places[log_of(position.epoch)] = f"{position.seq}-0"
        with translated():
            found = await self._redis.xread(places, _AT_ONCE, BLOCK_MS if position else _WITHOUT_LOG_MS)
        return dict(found)

    def _take(self, epoch: str, news: list[Row]) -> None:
        entries = [entry_of(*each) for each in news]
        # No await since the place was asked for: the hub is where it was.
        if not self._hub.take_live(epoch, entries):
            # Too long without Redis: what comes next was dropped there. The sockets come again, and are told.
            _log.error("the log in Redis does not reach back to this emitter", log_begins=entries[0].seq)
            metrics.conflicts.inc()
            self._hub.forget(epoch)

    async def _look(self) -> None:
        """Read the history where there is none, or where it is another epoch's."""
        place = await self._stream.place()
        self._looked_at = time.monotonic()
        if place.epoch is None or place.position is None:
            return
        metrics.redis_position.set(place.position)
        if self._hub.position is None or self._hub.position.epoch != place.epoch:
            await self._restore(place.epoch, place.position)

    async def _restore(self, epoch: str, position: int) -> None:
        after = max(0, position - self._history_events)
        while after < position and (entries := await self._stream.read(epoch, after, position, _AT_ONCE)):
            self._hub.take_history(epoch, entries, None)
            after = entries[-1].seq
        if not self._hub.take_history(epoch, [], position):
            _log.warning("the log in Redis has changed while it was read", epoch=epoch, position=position)


def _order(letter: bytes) -> tuple[int, int]:
    milliseconds, _, number = letter.partition(b"-")
    return int(milliseconds), int(number)
