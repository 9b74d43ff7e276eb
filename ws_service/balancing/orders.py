"""What operators have an emitter do: the one that is asked, or another by its name."""

from collections.abc import Awaitable
from typing import Any

from shared.emitter_api import Drain, Rebalance, Shedding
from shared.problems import FieldError
from shared.serving.http.errors import Invalid, Unavailable
from ws_service.balancing.balancer import Balancer
from ws_service.cluster.letters import Letter
from ws_service.cluster.node import Node
from ws_service.cluster.peers import Peers, given

_DRAIN, _REBALANCE = "drain", "rebalance"
_WITHIN_S = 2.0


class Orders:
    """Carries out what is for this emitter, and passes on what names one: whoever calls reaches just any of many."""

    def __init__(self, node: Node, balancer: Balancer, peers: Peers) -> None:
        self._node = node
        self._balancer = balancer
        self._peers = peers
        peers.on(_DRAIN, self._hear_drain)
        peers.on(_REBALANCE, self._hear_rebalance)

    async def drain(self, order: Drain) -> Shedding:
        """Begin to drain; raise Invalid for an unknown node, Unavailable."""
        if order.node is None:
            return self._drain()
        return await self._pass_on(order.node, Letter(_DRAIN, order.model_dump()))

    async def rebalance(self, order: Rebalance) -> Shedding:
        """Begin to shed down to the target; raise Invalid for an unknown node, Unavailable."""
        if order.node is None:
            return self._rebalance(order.target)
        return await self._pass_on(order.node, Letter(_REBALANCE, order.model_dump()))

    async def _pass_on(self, name: str, letter: Letter) -> Shedding:
        given, missing = await self._peers.ask(letter, _WITHIN_S, name)
        if done := next((answer for answer in given if answer), None):
            return Shedding.model_validate(done)
        if missing:
            raise Unavailable(f"{name} does not answer: it may do it later, or not")
        message = "no emitter of this name is there"
        raise Invalid(f"node: {message}", [FieldError("node", message)])

    def _hear_drain(self, letter: Letter) -> Awaitable[Any]:
        return given(_as_json(self._drain()) if self._is_for_us(letter) else None)

    def _hear_rebalance(self, letter: Letter) -> Awaitable[Any]:
        return given(_as_json(self._rebalance(letter.head["target"])) if self._is_for_us(letter) else None)

    def _is_for_us(self, letter: Letter) -> bool:
        return bool(letter.head["node"] == self._node.name)

    def _drain(self) -> Shedding:
        self._balancer.drain()
        return self._begun(self._node.connections)

    def _rebalance(self, target: int) -> Shedding:
        return self._begun(self._balancer.rebalance(target))

    def _begun(self, shedding: int) -> Shedding:
        return Shedding(state=self._node.state, connections=self._node.connections, shedding=shedding)


def _as_json(begun: Shedding) -> Any:
    return begun.model_dump(mode="json")
