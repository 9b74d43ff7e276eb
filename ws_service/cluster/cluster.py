"""This emitter as one of many: what it reads, what it says, and who else is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from shared.errors import StartupError
from shared.serving.redis import closing
from ws_service.cluster.correspondence import Correspondence
from ws_service.cluster.heart import BEAT, Heart
from ws_service.cluster.letters import Letter, LetterStream
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Beat, Nodes
from ws_service.cluster.reader import Reader
from ws_service.cluster.redis import RedisUnavailable, open_redis
from ws_service.cluster.shared_log import LogIntake, SharedLog
from ws_service.ingest.hub import Hub
from ws_service.settings import Settings

_LEAVE = "leave"
_LEAVE_WITHIN_S = 1.0


class Cluster:
    """What an emitter of many has more than a lone one. Nothing is connected before `running`.

    Raises:
        StartupError: the URL of Redis is none.
    """

    def __init__(self, settings: Settings, hub: Hub, node: Node, nodes: Nodes) -> None:
        try:
            self._redis = open_redis(settings.redis_url.get_secret_value())
        except ValueError as error:
            raise StartupError(f"STORECAST_REDIS_URL: {error}") from None
        log = SharedLog(self._redis, settings.history_events, settings.history_bytes)
        self._letters = LetterStream(self._redis, node.id)
        self._node = node
        self._nodes = nodes
        self._reader = Reader(self._redis, log, self._letters, hub, self._hear)
        self._heart = Heart(node, nodes, self._letters, self._reader)
        self.intake = LogIntake(log, hub)
        self.peers = Correspondence(node, nodes, self._letters)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take part for as long as the context lasts."""
        async with closing(self._redis), asyncio.TaskGroup() as group:
            reading, beating = (group.create_task(part.run()) for part in (self._reader, self._heart))
            try:
                yield
                # No beat may follow the goodbye.
                beating.cancel()
                await asyncio.wait({beating})
                await self._leave()
            finally:
                beating.cancel()
                reading.cancel()

    def _hear(self, letter: Letter) -> None:
        if letter.kind == BEAT:
            self._nodes.hear(Beat.model_validate(letter.head))
        elif letter.kind == _LEAVE:
            self._nodes.leave(letter.head["id"])
        else:
            self.peers.hear(letter)

    async def _leave(self) -> None:
        # So that nobody waits for its answers.
        with suppress(RedisUnavailable, TimeoutError):
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                await self._letters.write(Letter(_LEAVE, {"id": self._node.id}))
