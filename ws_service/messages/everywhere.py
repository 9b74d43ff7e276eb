"""The courier to the sockets of all emitters."""

from collections.abc import Awaitable
from typing import Any

from shared.emitter_api import Reached
from ws_service.cluster.letters import Letter
from ws_service.cluster.peers import Peers
from ws_service.messages.courier import Delivery, LocalCourier, merge
from ws_service.messages.dispatch import Dispatch

_DISPATCH = "dispatch"

# What the way to the others and back may take, beyond the time that clients have to acknowledge.
_WAY_S = 1.0


class ClusterCourier:
    """Has every emitter deliver, in the one order of their letters, and makes one answer of theirs."""

    def __init__(self, local: LocalCourier, peers: Peers) -> None:
        self._local = local
        self._peers = peers
        peers.on(_DISPATCH, self._deliver)

    async def send(self, dispatch: Dispatch) -> Reached:
        """Send it, and wait for what all emitters say; raise Unavailable."""
        given, missing = await self._peers.ask(_letter(dispatch), (dispatch.ack_timeout_ms or 0) / 1000 + _WAY_S)
        reached = merge([Reached.model_validate(each) for each in given], dispatch.to)
        reached.silent_nodes = missing or None
        return reached

    def _deliver(self, letter: Letter) -> Awaitable[Any]:
        return _answer(self._local.deliver(_dispatch(letter)))


async def _answer(delivery: Delivery) -> Any:
    return (await delivery.answer()).model_dump(mode="json")


def _letter(dispatch: Dispatch) -> Letter:
    head = {"event": dispatch.event, "meta": dispatch.meta.decode(), "to": dispatch.to, "ack": dispatch.ack_timeout_ms}
    return Letter(_DISPATCH, head, dispatch.payload)


def _dispatch(letter: Letter) -> Dispatch:
    head = letter.head
    to = None if head["to"] is None else tuple(head["to"])
    return Dispatch(head["event"], letter.payload, head["meta"].encode(), to, head["ack"])
