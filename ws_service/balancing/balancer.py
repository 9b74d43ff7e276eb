"""Ends connections in random order and at an even pace, so that their clients go elsewhere and do not come at once.

The stock client comes back by itself after its transport closed, and goes on where it was.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from ws_service import metrics
from ws_service.balancing.excess import beyond_mean, excess
from ws_service.balancing.lasting import Lasting
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Nodes
from ws_service.ingest.subscriptions import Subscriptions

_LOOK_EVERY_S = 1.0
# After a shedding, until all others' heartbeats tell where its clients went.
_SETTLE_S = 5.0
_SETTLE_AT_MOST_S = 300.0

_log = structlog.get_logger(__name__)


class Balancer:
    """The only one that sheds: one shedding after the other. `nodes` are those of a cluster."""

    def __init__(self, node: Node, subscriptions: Subscriptions, nodes: Nodes | None, seconds: float) -> None:
        self._node = node
        self._subscriptions = subscriptions
        self._nodes = nodes
        self._seconds = seconds
        self._target: int | None = None
        self._asked = asyncio.Event()
        self._settled_at = 0.0
        self._in_a_row = 0
        self._lasting = Lasting()
        self._drained: list[Callable[[], None]] = []

    def drain(self, drained: Callable[[], None] | None = None) -> None:
        """Take no new clients and send all away; then call back."""
        if drained is not None:
            self._drained.append(drained)
        if not self._node.is_draining:
            _log.info("draining", connections=self._node.connections, seconds=self._seconds)
        self._node.is_draining = True
        self._asked.set()

    def rebalance(self, target: int) -> int:
        """Send clients away until `target` are left; return how many those are."""
        if self._node.is_draining:
            # All of them go already, at a pace that would begin anew.
            return self._node.connections
        self._target = target
        self._asked.set()
        return max(0, self._node.connections - target)

    async def run(self) -> None:
        """Shed what is too many, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._asked.wait()
            self._asked.clear()
            await self._step()

    async def _step(self) -> None:
        if self._node.is_draining:
            await self._shed(self._node.connections)
            if self._asked.is_set():
                return  # asked again meanwhile: the next step goes on with those that are left
            for drained in self._drained:
                drained()
            self._drained.clear()
        elif self._target is not None:
            target, self._target = self._target, None
            await self._shed(self._node.connections - target)
        elif count := self._lasting_excess():
            _log.info("more connections than others have", shedding=count)
            self._lasting.forget()
            # Meanwhile others may have begun to drain, and their clients come here.
            await self._shed(count, lambda: beyond_mean(*self._load()) <= 0)
            # Each time longer, until it has helped: clients that know no other address come straight back.
            self._settled_at = time.monotonic() + min(_SETTLE_S * 2.0**self._in_a_row, _SETTLE_AT_MOST_S)
            self._in_a_row += 1

    def _lasting_excess(self) -> int:
        if self._node.state != "ready" or time.monotonic() < self._settled_at:
            return 0
        now = excess(*self._load())
        if not now:
            self._in_a_row = 0
        return self._lasting.look(now)

    def _load(self) -> tuple[int, list[int], int]:
        """Return the connections here, of each other emitter that takes clients, and of all that drain."""
        present = self._nodes.present() if self._nodes else []
        others = [beat for beat in present if beat.id != self._node.id]
        ready = [beat.connections for beat in others if beat.state == "ready"]
        return self._node.connections, ready, sum(beat.connections for beat in others if beat.state == "draining")

    async def _shed(self, count: int, is_enough: Callable[[], bool] = lambda: False) -> None:
        everyone = list(self._subscriptions.everyone())
        chosen = random.sample(everyone, max(0, min(count, len(everyone))))
        start = time.monotonic()
        for index, subscription in enumerate(chosen):
            if await self._is_asked_before(start + self._seconds * index / len(chosen)) or is_enough():
                return
            subscription.listener.drop()
            metrics.shed.inc()

    async def _is_asked_before(self, due: float) -> bool:
        """Wait; return early and true if something else is asked meanwhile, which comes first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self._asked.wait()
        return self._asked.is_set()
