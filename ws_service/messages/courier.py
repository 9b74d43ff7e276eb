"""Who brings messages to sockets: to those of this emitter, or of many."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from shared.emitter_api import Acknowledgement, Reached, Recipient
from ws_service import metrics
from ws_service.ingest.outgoing import Note
from ws_service.ingest.subscriptions import Subscription, Subscriptions
from ws_service.messages.acknowledgements import Acknowledgements, Wait
from ws_service.messages.dispatch import Dispatch


class Courier(Protocol):
    """Who brings a message to the sockets that it is for."""

    async def send(self, dispatch: Dispatch) -> Reached:
        """Send it, and say whom it reached; raise a HttpError."""


class Delivery:
    """A message that was written to the sockets of one emitter."""

    def __init__(self, node: str, reached: int, not_connected: list[str] | None, wait: Wait | None) -> None:
        self._node = node
        self._reached = reached
        self._not_connected = not_connected
        self._wait = wait

    async def answer(self) -> Reached:
        """Return whom it reached: at the latest at the time-out, if acknowledgements were asked for."""
        reached = Reached(reached=self._reached, not_connected=self._not_connected)
        if wait := self._wait:
            await wait.over()
            reached.acks = [
                Acknowledgement(sid=member.sid, node=self._node, user=member.user, answer=answer)
                for member, answer in wait.acknowledged()
            ]
            reached.unacknowledged = [
                Recipient(sid=member.sid, node=self._node, user=member.user) for member in wait.unacknowledged()
            ]
        return reached


class LocalCourier:
    """The courier to the sockets of this emitter."""

    def __init__(self, subscriptions: Subscriptions, acknowledgements: Acknowledgements, node: str) -> None:
        self._subscriptions = subscriptions
        self._acknowledgements = acknowledgements
        self._node = node

    async def send(self, dispatch: Dispatch) -> Reached:
        """Deliver it, and wait for the acknowledgements."""
        return await self.deliver(dispatch).answer()

    def deliver(self, dispatch: Dispatch) -> Delivery:
        """Write it to the sockets now, so that the order is that of the calls; raise Unavailable."""
        found, not_connected = self._find(dispatch.to)
        # Before anything is sent: a transport that fails at just that is not waited for.
        wait = self._begin(found, dispatch.ack_timeout_ms)
        note = Note(dispatch.event, dispatch.payload, dispatch.meta, wait.number if wait else None)
        for subscription in found:
            subscription.listener.send(note)
        metrics.messages.inc(len(found))
        return Delivery(self._node, len(found), not_connected, wait)

    def _find(self, to: Iterable[str] | None) -> tuple[Sequence[Subscription], list[str] | None]:
        if to is None:
            return list(self._subscriptions.everyone()), None
        # Each once, however many of its rooms and topics are named.
        found: dict[Subscription, None] = {}
        not_connected = []
        for name in dict.fromkeys(to):
            named = dict.fromkeys(self._subscriptions.named(name))
            found |= named
            if not named:
                not_connected.append(name)
        return list(found), not_connected

    def _begin(self, found: Sequence[Subscription], ack_timeout_ms: int | None) -> Wait | None:
        if ack_timeout_ms is None:
            return None
        return self._acknowledgements.begin([subscription.member for subscription in found], ack_timeout_ms)


def merge(results: Sequence[Reached], to: Iterable[str] | None) -> Reached:
    """Make one answer of those of several emitters. Of `to` those are not connected whom none of them reached."""
    merged = Reached(reached=sum(result.reached for result in results))
    if any(result.acks is not None for result in results):
        merged.acks = [each for result in results for each in result.acks or ()]
        merged.unacknowledged = [each for result in results for each in result.unacknowledged or ()]
    if to is not None:
        missed = [set(result.not_connected or ()) for result in results]
        merged.not_connected = [name for name in dict.fromkeys(to) if all(name in names for names in missed)]
    return merged
