"""Who hears what: the topics and the cursor of each socket, and the sockets of each topic."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import NamedTuple

from shared.events import EVERYONE, Event, Position
from ws_service.ingest.history import History

CHUNK_BYTES = 256 * 1024


class FellBehind(Exception):
    """What the socket has not heard yet cannot be given to it any more."""


class Outgoing(NamedTuple):
    """An event for one socket, and the offset from which the socket can be resumed once it has heard it."""

    event: Event
    offset: str


class _Replay:
    """Past events of topics that were subscribed to later: those beyond `after`, up to where the socket is.

    `heard` says since which number the socket hears each topic that it was in before.
    """

    def __init__(self, after: int, until: int, topics: set[str], heard: dict[str, int]) -> None:
        self.after = after
        self.until = until
        self.topics = topics
        self.done = asyncio.Event()
        self._heard = heard

    def lacks(self, event: Event) -> bool:
        """Tell whether the socket has not heard the event by another of its topics."""
        return not any(self._heard.get(topic, event.seq) < event.seq for topic in event.topics)


class Subscription:
    """What one socket hears, and how far it has heard it.

    Replay and live are one and the same reading from the shared history, from the cursor on. So there is no moment of
    switching between them in which an event could be lost or doubled.
    """

    def __init__(self, topics: Iterable[str], start: Position | None) -> None:
        self.topics = set(topics)
        self._epoch = start.epoch if start else None
        self._cursor = start.seq if start else 0
        self._since = dict.fromkeys([*self.topics, EVERYONE], self._cursor)
        self._replays: deque[_Replay] = deque()
        self._woken = asyncio.Event()
        # Whether it has been sent all there is for it, and not been woken since.
        self._idle = False
        self._ended = False

    @property
    def begun(self) -> bool:
        """Whether the socket has a place in the log yet."""
        return self._epoch is not None

    @property
    def replaying(self) -> bool:
        """Whether the past of some topics is still being sent."""
        return bool(self._replays)

    def begin(self, position: Position) -> None:
        """Start here: the hub had no position when the socket came."""
        self._epoch, self._cursor = position
        self._since = dict.fromkeys(self._since, self._cursor)
        self._woken.set()

    def end(self) -> None:
        """Say that nothing more can be sent: the epoch is over, or the socket is gone."""
        self._ended = True
        for replay in self._replays:
            replay.done.set()
        self._woken.set()

    def notice(self, before: int) -> None:
        """Say that there are events for it beyond the number `before`, and none between its cursor and that."""
        self._skip_to(before)
        self._idle = False
        self._woken.set()

    def join(self, topics: set[str], now: int, after: int | None) -> asyncio.Event | None:
        """Add topics: from `now` on, the newest number, or with their past beyond the number `after`.

        Returns an event that is set when the past was sent, if there is any.
        """
        self._skip_to(now)
        heard = dict(self._since)
        self.topics |= topics
        # What is for everyone is replayed with them, once.
        for topic in (*topics, EVERYONE):
            self._since[topic] = min(self._since.get(topic, self._cursor), self._cursor if after is None else after)
        if after is None or after >= self._cursor:
            return None
        replay = _Replay(after, self._cursor, topics, heard)
        self._replays.append(replay)
        self._woken.set()
        return replay.done

    def leave(self, topics: set[str]) -> None:
        """Remove topics."""
        self.topics -= topics
        for topic in topics:
            self._since.pop(topic, None)

    def _skip_to(self, seq: int) -> None:
        # A cursor that stood still while others were busy would have the next event read all of their history, and
        # would be taken for behind once that is dropped.
        if self._idle:
            self._cursor = max(self._cursor, seq)

    async def woken(self) -> None:
        """Wait until there may be something to send."""
        await self._woken.wait()

    def next_part(self, history: History) -> list[Outgoing]:
        """Take what is to be sent next, and move on past it. Empty if there is nothing now.

        Raises:
            FellBehind: some of it is gone.
        """
        # Cleared before the history is read: whatever is appended from here on wakes again.
        self._woken.clear()
        if self._ended:
            raise FellBehind
        while self._replays:
            if part := self._next_replayed(history, self._replays[0]):
                return part
            # Done only now: whoever takes the next part has sent the one before.
            self._replays.popleft().done.set()
        if self._epoch is None:
            return []
        if not history.reaches_back_to(self._cursor, self.topics):
            raise FellBehind
        events, self._cursor = history.read(self._cursor, self.topics, CHUNK_BYTES)
        self._idle = not events
        return [Outgoing(event, f"{self._epoch}:{event.seq}") for event in events]

    def _next_replayed(self, history: History, replay: _Replay) -> list[Outgoing]:
        # The socket as a whole has heard everything up to its cursor, and is resumed from there.
        offset = f"{self._epoch}:{self._cursor}"
        while replay.after < replay.until:
            if not history.reaches_back_to(replay.after, replay.topics):
                raise FellBehind
            events, replay.after = history.read(replay.after, replay.topics, CHUNK_BYTES, replay.until)
            if part := [Outgoing(event, offset) for event in events if replay.lacks(event)]:
                return part
        return []


class Subscriptions:
    """The sockets of each topic."""

    def __init__(self) -> None:
        self._all: set[Subscription] = set()
        self._of: defaultdict[str, set[Subscription]] = defaultdict(set)

    def add(self, subscription: Subscription) -> None:
        """Have a new socket hear its topics."""
        self._all.add(subscription)
        for topic in subscription.topics:
            self._of[topic].add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Forget a socket."""
        self._all.discard(subscription)
        self.leave(subscription, set(subscription.topics))

    def join(
        self, subscription: Subscription, topics: set[str], now: int, after: int | None = None
    ) -> asyncio.Event | None:
        """Have a socket hear more topics; see `Subscription.join`."""
        for topic in topics:
            self._of[topic].add(subscription)
        return subscription.join(topics, now, after)

    def leave(self, subscription: Subscription, topics: set[str]) -> None:
        """Have a socket hear fewer topics."""
        subscription.leave(topics)
        for topic in topics:
            self._of[topic].discard(subscription)
            if not self._of[topic]:
                del self._of[topic]

    def of(self, topics: Iterable[str]) -> set[Subscription]:
        """Return the sockets that hear any of the topics, each once."""
        found: set[Subscription] = set()
        for topic in topics:
            found |= self._all if topic == EVERYONE else self._of.get(topic, set())
        return found

    def everyone(self) -> frozenset[Subscription]:
        """Return all sockets."""
        return frozenset(self._all)
