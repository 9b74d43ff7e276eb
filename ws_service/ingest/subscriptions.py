"""Who hears what: the topics and the cursor of each socket, and the sockets of each topic."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from shared.events import EVERYONE, Position
from ws_service import metrics
from ws_service.ingest.entry import Entry
from ws_service.ingest.history import History
from ws_service.ingest.member import ANYONE, Member
from ws_service.ingest.outgoing import Note, Outgoing, Part

CHUNK_BYTES = 256 * 1024


class FellBehind(Exception):
    """What the socket has not heard yet cannot be given to it any more."""


class _Replay:
    """Past events of topics that were subscribed to later: those beyond `after`, up to where the socket is.

    `heard` says since which number the socket hears each topic that it was in before.
    """

    def __init__(self, after: int, until: int, topics: AbstractSet[str], heard: dict[str, int]) -> None:
        self.after = after
        self.until = until
        self.topics = topics
        self.done = asyncio.Event()
        self._heard = heard

    def lacks(self, event: Entry) -> bool:
        """Tell whether the socket has not heard the event by another of its topics."""
        return not any(self._heard.get(topic, event.seq) < event.seq for topic in event.topics)


class Listener(Protocol):
    """The socket behind a subscription."""

    def write(self, part: Part) -> None:
        """Send what all who are live on the same topics are sent."""

    def send(self, note: Note) -> None:
        """Send what has no number."""

    def drop(self) -> None:
        """Close the connection, so that the client comes back, here or elsewhere."""

    def wake(self) -> None:
        """Take what there is with `Subscription.next_part`, until nothing is left; not before this call returns."""


class Subscription:
    """What one socket hears, and how far it has heard it.

    Replay and live are one order of numbers with one cursor. A socket that has been sent all there is, is live: it is
    given what comes at the moment it comes. Any other reads the shared history from its cursor on, as fast as its
    transport takes it. Nothing here waits, so that there is no moment between the two in which an event could be lost
    or doubled.
    """

    __slots__ = ("_cursor", "_ended", "_epoch", "_live", "_replays", "_since", "_start", "listener", "member", "topics")

    def __init__(
        self, topics: Iterable[str], start: Position | None, listener: Listener, member: Member = ANYONE
    ) -> None:
        self.topics = frozenset(topics)
        self.listener = listener
        self.member = member
        self._epoch = start.epoch if start else None
        self._cursor = self._start = start.seq if start else 0
        # Since which number each topic is heard, where that is not the start.
        self._since: dict[str, int] | None = None
        self._replays: deque[_Replay] | None = None
        # Whether it has been sent all there is for it.
        self._live = False
        self._ended = False

    @property
    def begun(self) -> bool:
        """Whether the socket has a place in the log yet."""
        return self._epoch is not None

    def begin(self, position: Position) -> None:
        """Start here: the hub had no position when the socket came."""
        self._epoch, self._cursor = position
        self._start = self._cursor
        self._since = None
        self.listener.wake()

    def end(self) -> None:
        """Say that nothing more can be sent: the epoch is over, or the socket is gone."""
        self._ended = True
        self._live = False
        for replay in self._replays or ():
            replay.done.set()
        self.listener.wake()

    def give(self, part: Part, last: int) -> int:
        """Send what was just appended, up to the number `last`; return how many events were sent.

        Who is not live reads them from the history in its turn.
        """
        if not self._live:
            self.listener.wake()
            return 0
        # Before the write: a transport that is full after it calls `hold`.
        self._cursor = last
        self.listener.write(part)
        return len(part.events)

    def hold(self, now: int) -> None:
        """Give nothing more, beyond the newest number `now`: the transport is full. It reads on once there is room."""
        self._skip_to(now)
        self._live = False

    def join(self, topics: AbstractSet[str], now: int, after: int | None) -> asyncio.Event | None:
        """Add topics: from `now` on, the newest number, or with their past beyond the number `after`.

        Returns an event that is set when the past was sent, if there is any.
        """
        self._skip_to(now)
        heard = self._heard_since()
        self._since = dict(heard)
        self.topics |= topics
        # What is for everyone is replayed with them, once.
        for topic in (*topics, EVERYONE):
            self._since[topic] = min(self._since.get(topic, self._cursor), self._cursor if after is None else after)
        if after is None or after >= self._cursor:
            return None
        replay = _Replay(after, self._cursor, topics, heard)
        self._replays = self._replays or deque()
        self._replays.append(replay)
        self._live = False
        self.listener.wake()
        return replay.done

    def leave(self, topics: AbstractSet[str]) -> None:
        """Remove topics, and what is still to be replayed of them: they may be closed to the socket from now on."""
        self._since = {topic: since for topic, since in self._heard_since().items() if topic not in topics}
        self.topics -= topics
        for replay in self._replays or ():
            replay.topics -= topics

    def _heard_since(self) -> dict[str, int]:
        return dict.fromkeys([*self.topics, EVERYONE], self._start) if self._since is None else self._since

    def _skip_to(self, seq: int) -> None:
        # Who is live lacks nothing. A cursor that stood still while others were busy would have the next event read all
        # of their history, and would be taken for behind once that is dropped.
        if self._live:
            self._cursor = max(self._cursor, seq)

    def next_part(self, history: History) -> Part | None:
        """Take what is to be sent next, and move on past it. None if that was all: from then on the socket is live.

        Raises:
            FellBehind: some of it is gone.
        """
        if self._ended:
            raise FellBehind
        if self._live:
            return None  # woken for nothing: its cursor may lie before what was dropped of others' topics
        while self._replays:
            if part := self._next_replayed(history, self._replays[0]):
                return Part(part)
            # Done only now: whoever takes the next part has sent the one before.
            self._replays.popleft().done.set()
        if self._epoch is None:
            return None
        if not history.reaches_back_to(self._cursor, self.topics):
            raise FellBehind
        events, self._cursor = history.read(self._cursor, self.topics, CHUNK_BYTES)
        # A client may be ahead of its emitter, and is not given what it has heard.
        self._live = not events and self._cursor <= history.last
        return Part([Outgoing(event, f"{self._epoch}:{event.seq}") for event in events]) if events else None

    def _next_replayed(self, history: History, replay: _Replay) -> list[Outgoing]:
        # The socket as a whole has heard everything up to its cursor, and is resumed from there.
        offset = f"{self._epoch}:{self._cursor}"
        while replay.topics and replay.after < replay.until:
            if not history.reaches_back_to(replay.after, replay.topics):
                raise FellBehind
            events, replay.after = history.read(replay.after, replay.topics, CHUNK_BYTES, replay.until)
            if part := [Outgoing(event, offset) for event in events if replay.lacks(event)]:
                return part
        return []


class Subscriptions:
    """The sockets of each topic, and of each private room.

    Rooms are no topics: no numbered event is for one, so that all who hear the same topics are given the same part.
    """

    def __init__(self) -> None:
        self._all: set[Subscription] = set()
        self._of: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._in: defaultdict[str, set[Subscription]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, subscription: Subscription) -> None:
        """Have a new socket hear its topics, and be found in its rooms."""
        self._all.add(subscription)
        for topic in subscription.topics:
            self._of[topic].add(subscription)
        self._enter_rooms(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Forget a socket."""
        self._all.discard(subscription)
        self.leave(subscription, subscription.topics)
        self._leave_rooms(subscription)

    def rename(self, subscription: Subscription, user: str | None) -> None:
        """Have a socket be another user's, or nobody's: it is found in that one's rooms alone."""
        self._leave_rooms(subscription)
        subscription.member = subscription.member._replace(user=user)
        self._enter_rooms(subscription)

    def join(
        self, subscription: Subscription, topics: AbstractSet[str], now: int, after: int | None = None
    ) -> asyncio.Event | None:
        """Have a socket hear more topics; see `Subscription.join`."""
        for topic in topics:
            self._of[topic].add(subscription)
        return subscription.join(topics, now, after)

    def leave(self, subscription: Subscription, topics: AbstractSet[str]) -> None:
        """Have a socket hear fewer topics."""
        subscription.leave(topics)
        for topic in topics:
            self._of[topic].discard(subscription)
            if not self._of[topic]:
                del self._of[topic]

    def _enter_rooms(self, subscription: Subscription) -> None:
        for room in subscription.member.rooms:
            self._in[room].add(subscription)

    def _leave_rooms(self, subscription: Subscription) -> None:
        for room in subscription.member.rooms:
            self._in[room].discard(subscription)
            if not self._in[room]:
                del self._in[room]

    def publish(self, news: Sequence[Entry], position: Position) -> None:
        """Give new events, up to the position, to all who hear any of them. What is the same for many is made once."""
        parts: dict[frozenset[str], Part] = {}
        same: dict[tuple[Entry, ...], Part] = {}
        sent = 0
        for subscription in self.of(_topics(news)):
            if (part := parts.get(subscription.topics)) is None:
                events = tuple(event for event in news if event.is_for(subscription.topics))
                # Encoded once however different the topics are that it is heard for.
                if (part := same.get(events)) is None:
                    part = same[events] = Part([Outgoing(event, f"{position.epoch}:{event.seq}") for event in events])
                parts[subscription.topics] = part
            sent += subscription.give(part, position.seq)
        metrics.deliveries.inc(sent)

    def announce(self, news: Sequence[Entry], before: int) -> None:
        """Have all who hear any of the new events, beyond the number `before`, read them from the history."""
        for subscription in self.of(_topics(news)):
            subscription.hold(before)
            subscription.listener.wake()

    def of(self, topics: Iterable[str]) -> set[Subscription]:
        """Return the sockets that hear any of the topics, each once."""
        found: set[Subscription] = set()
        for topic in topics:
            found |= self._all if topic == EVERYONE else self._of.get(topic, set())
        return found

    def named(self, name: str) -> Iterable[Subscription]:
        """Return the sockets in a private room, or those that hear a topic."""
        return self._in.get(name) or self.of((name,))

    def sizes(self) -> dict[str, int]:
        """Return how many sockets hear each topic."""
        return {topic: len(subscriptions) for topic, subscriptions in self._of.items()}

    def everyone(self) -> frozenset[Subscription]:
        """Return all sockets."""
        return frozenset(self._all)


def _topics(news: Sequence[Entry]) -> set[str]:
    return {topic for event in news for topic in event.heard_on}
