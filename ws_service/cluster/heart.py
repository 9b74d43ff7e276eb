"""Tells all emitters every second that this one is there, and how it is."""

import asyncio
import itertools

import structlog

from ws_service.cluster.letters import Letter, LetterStream, order_of
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Beat, Nodes
from ws_service.cluster.reader import Reader
from ws_service.cluster.redis import RedisUnavailable, is_cancelled

BEAT = "beat"
_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


class Heart:
    """Beats until cancelled."""

    def __init__(self, node: Node, nodes: Nodes, stream: LetterStream, reader: Reader) -> None:
        self._node = node
        self._nodes = nodes
        self._stream = stream
        self._reader = reader
        self._beats = itertools.count(1)
        self._is_written = True

    async def run(self) -> None:
        """Beat, and wait for a second."""
        while not is_cancelled():
            try:
                await self._beat()
            except RedisUnavailable as error:
                self._nodes.not_said()
                if self._is_written:
                    _log.warning("Redis cannot be written to", error=str(error.__cause__))
                self._is_written = False
            else:
                self._nodes.said()
                self._is_written = True
            await asyncio.sleep(_EVERY_S)

    async def _beat(self) -> None:
        await self._stream.trim()
        before = self._reader.place
        beat = beat_of(self._node, next(self._beats))
        written = await self._stream.write(Letter(BEAT, beat.model_dump()))
        if before is not None and order_of(written) <= order_of(before):
            self._reader.rewind(written)


def beat_of(node: Node, number: int = 0) -> Beat:
    """Return what a node says of itself."""
    return Beat(
        id=node.id,
        number=number,
        node=node.name,
        url=node.url,
        state=node.state,
        connections=node.connections,
        lag_ms=node.lag_ms,
    )
