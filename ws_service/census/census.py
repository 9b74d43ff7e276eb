"""How many sockets there are, on which emitter, and where a user is connected."""

from collections.abc import Awaitable, Iterable
from heapq import nlargest
from typing import Any

from shared.emitter_api import Connections, NodeCount, Socket
from ws_service.cluster.letters import Letter
from ws_service.cluster.node import Node
from ws_service.cluster.peers import Peers, given
from ws_service.ingest.subscriptions import Subscriptions

_CENSUS = "census"
_WITHIN_S = 2.0

MOST_TOPICS = 100
"""Of so many topics the sockets are told, those with the most."""

MOST_SOCKETS = 1_000
"""So many sockets of one name are told, from each node."""


class Census:
    """Counts the sockets here, and asks the other emitters for theirs."""

    def __init__(self, node: Node, subscriptions: Subscriptions, peers: Peers) -> None:
        self._node = node
        self._subscriptions = subscriptions
        self._peers = peers
        peers.on(_CENSUS, self._count)

    async def take(self, names: list[str], *, topics: bool) -> Connections:
        """Count everywhere, and find the sockets of the named users, devices and topics; raise Unavailable.

        With `topics` those with the most sockets are told, for which all of them are gone through.
        """
        given, missing = await self._peers.ask(Letter(_CENSUS, {"names": names, "topics": topics}), _WITHIN_S)
        nodes = sorted((NodeCount.model_validate(each) for each in given), key=lambda count: count.node)
        return Connections(
            connections=sum(count.connections for count in nodes),
            nodes=nodes,
            topics=_largest(_sum(count.topics for count in nodes)),
            where={name: [socket for count in nodes for socket in count.where[name]] for name in names},
            silent_nodes=missing,
        )

    def _count(self, letter: Letter) -> Awaitable[Any]:
        node = self._node
        counted = NodeCount(
            node=node.name,
            url=node.url,
            state=node.state,
            connections=node.connections,
            lag_ms=node.lag_ms,
            # An emitter of the version before does not ask for less.
            topics=_largest(self._subscriptions.sizes()) if letter.head.get("topics", True) else {},
            where={name: self._named(name) for name in letter.head["names"]},
        )
        return given(counted.model_dump(mode="json"))

    def _named(self, name: str) -> list[Socket]:
        members = [subscription.member for subscription in self._subscriptions.named(name)]
        return [Socket(node=self._node.name, sid=member.sid, user=member.user) for member in members[:MOST_SOCKETS]]


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for topic, sockets in count.items():
            total[topic] = total.get(topic, 0) + sockets
    return total


def _largest(sizes: dict[str, int]) -> dict[str, int]:
    return dict(nlargest(MOST_TOPICS, sizes.items(), key=lambda each: each[1]))
