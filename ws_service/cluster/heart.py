"""Tells all emitters every second that this one is there, and how it is."""

import asyncio
import itertools
import time

import structlog

from ws_service import metrics
from ws_service.cluster.letters import Letter, LetterStream
from ws_service.cluster.nodes import Beat
from ws_service.cluster.reader import Reader
from ws_service.cluster.redis import RedisUnavailable, is_cancelled
from ws_service.node import Node

BEAT = "beat"
_SLICES = 10
_SLICE_S = 0.1
_WEIGHT = 0.1  # of the newest measurement in the moving average, which so covers a second

_log = structlog.get_logger(__name__)


class Heart:
    """Beats until cancelled. Between beats it measures how late the event loop calls."""

    def __init__(self, node: Node, stream: LetterStream, reader: Reader) -> None:
        self._node = node
        self._stream = stream
        self._reader = reader
        self._lag_s = 0.0
        self._beats = itertools.count(1)
        self._is_heard = True

    async def run(self) -> None:
        """Beat, and wait for a second."""
        while not is_cancelled():
            await self._beat()
            for _ in range(_SLICES):
                await self._measure()

    async def _beat(self) -> None:
        beat = beat_of(self._node, next(self._beats), self._lag_s)
        try:
            self._reader.rewind(await self._stream.write(Letter(BEAT, beat.model_dump())))
        except RedisUnavailable as error:
            if self._is_heard:
                _log.warning("Redis cannot be written to", error=str(error.__cause__))
            self._is_heard = False
        else:
            self._is_heard = True

    async def _measure(self) -> None:
        start = time.monotonic()
        await asyncio.sleep(_SLICE_S)
        late_s = max(0.0, time.monotonic() - start - _SLICE_S)
        self._lag_s += (late_s - self._lag_s) * _WEIGHT
        metrics.loop_lag.set(self._lag_s)


def beat_of(node: Node, number: int = 0, lag_s: float = 0.0) -> Beat:
    """Return what a node says of itself."""
    return Beat(
        id=node.id,
        number=number,
        node=node.name,
        url=node.url,
        state=node.state,
        connections=node.connections,
        lag_ms=round(lag_s * 1000, 2),
    )
