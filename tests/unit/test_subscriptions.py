from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import EVERYONE, Position
from tests.events import EPOCH, entries, entry
from tests.unit.reader import Reader
from ws_service.ingest import history as history_module
from ws_service.ingest import subscriptions as module
from ws_service.ingest.entry import Entry
from ws_service.ingest.history import History
from ws_service.ingest.outgoing import Outgoing, Part
from ws_service.ingest.subscriptions import FellBehind, Subscription, Subscriptions


def filled(*topics_of_each: str, max_events: int = 1000) -> History:
    history = History(max_events, 10**9)
    for seq, topic in enumerate(topics_of_each, 1):
        history.append(entry(seq, topic))
    return history


def at(seq: int) -> Position:
    return Position(EPOCH, seq)


def subscribed(topics: Iterable[str], start: Position | None) -> Subscription:
    return Subscription(topics, start, Reader())


def parts(subscription: Subscription, history: History) -> Iterator[Part]:
    while part := subscription.next_part(history):
        yield part


def drain(subscription: Subscription, history: History) -> list[Outgoing]:
    return [each for part in parts(subscription, history) for each in part.events]


def numbers(sent: Iterable[Outgoing]) -> list[int]:
    return [each.event.seq for each in sent]


def test_it_goes_on_from_where_it_began_and_says_nothing_twice() -> None:
    """A socket that was at 2 hears 3 and 4, and later only what is new."""
    history, subscription = filled("a", "a", "a", "a"), subscribed(["a"], at(2))
    assert numbers(drain(subscription, history)) == [3, 4]
    subscription.hold(history.last)
    history.append(entry(5, "a"))
    assert numbers(drain(subscription, history)) == [5]


def test_each_event_carries_the_offset_to_resume_from() -> None:
    """The offset of an event is its own position."""
    sent = drain(subscribed(["a"], at(0)), filled("a", "b", "a"))
    assert [each.offset for each in sent] == [f"{EPOCH}:1", f"{EPOCH}:3"]


def test_a_client_ahead_of_its_emitter_hears_nothing_twice() -> None:
    """A client that is at 5 when the emitter is at 3 hears 6 next."""
    history, subscription = filled("a", "a", "a"), subscribed(["a"], at(5))
    assert drain(subscription, history) == []
    for seq in (4, 5, 6):
        history.append(entry(seq, "a"))
    assert numbers(drain(subscription, history)) == [6]


def test_who_falls_behind_the_history_is_told_so() -> None:
    """A socket never skips what was dropped: it is cut off, comes back, and learns that it has to read anew."""
    history, subscription = History(3, 10**9), subscribed(["a"], at(0))
    for each in entries(1, 10, "a"):
        history.append(each)
    with pytest.raises(FellBehind):
        subscription.next_part(history)


def test_who_is_slow_on_a_quiet_topic_does_not_fall_behind() -> None:
    """What was dropped of other topics does not matter."""
    history, subscription = filled("quiet", *["busy"] * 50, "quiet", max_events=5), subscribed(["quiet"], at(1))
    assert numbers(drain(subscription, history)) == [52]


def test_a_long_replay_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much was missed, no more than a part of it waits in the transport."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    history, subscription = filled("a", "a", "a"), subscribed(["a"], at(0))
    assert [numbers(part.events) for part in parts(subscription, history)] == [[1], [2], [3]]


def test_an_ended_subscription_sends_nothing_more() -> None:
    """After the end of its epoch a socket hears nothing, not even what is in the history."""
    subscription = subscribed(["a"], at(0))
    subscription.end()
    with pytest.raises(FellBehind):
        subscription.next_part(filled("a"))


def test_topics_joined_later_replay_what_was_missed_of_them_alone() -> None:
    """`subscribe` with `after` gives the past of the new topics, in order, and nothing that was heard before."""
    history = filled("a", "b", "a", "b", "b")
    history.append(entry(6, "a", "b"))
    subscription = subscribed(["a"], at(0))
    assert numbers(drain(subscription, history)) == [1, 3, 6]
    done = subscription.join({"b"}, history.last, after=2)
    assert done is not None
    sent = drain(subscription, history)
    assert numbers(sent) == [4, 5]
    assert {each.offset for each in sent} == {f"{EPOCH}:6"}, "the socket as a whole is at 6"
    assert done.is_set()


def test_a_replay_is_done_only_when_its_last_part_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is acknowledged has been sent all of it."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    history, subscription = filled("b", "b"), subscribed(["a"], at(2))
    done = subscription.join({"b"}, history.last, after=0)
    assert done is not None
    reading = parts(subscription, history)
    assert numbers(next(reading).events) == [1]
    assert numbers(next(reading).events) == [2]
    assert not done.is_set()
    assert next(reading, None) is None
    assert done.is_set()


def test_a_topic_that_is_left_is_not_replayed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be closed to the socket from now on; the past of the other topics comes all the same."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    history, subscription = filled("b", "c", "b", "c"), subscribed(["a"], at(4))
    done = subscription.join({"b", "c"}, history.last, after=0)
    assert done is not None
    reading = parts(subscription, history)
    assert numbers(next(reading).events) == [1]
    subscription.leave({"b"})
    assert [numbers(part.events) for part in reading] == [[2], [4]]
    alone = subscription.join({"b"}, history.last, after=0)
    subscription.leave({"b"})
    assert drain(subscription, history) == []
    assert done.is_set()
    assert alone is not None
    assert alone.is_set(), "nobody waits for what does not come"


def test_the_end_of_a_socket_ends_the_wait_for_its_replay() -> None:
    """No request waits for ever on a socket that is gone."""
    subscription = subscribed(["a"], at(2))
    done = subscription.join({"b"}, now=2, after=0)
    subscription.end()
    assert done is not None
    assert done.is_set()


def test_a_replay_that_was_overtaken_by_the_history_is_no_partial_one() -> None:
    """A replay that cannot be completed cuts the socket off."""
    history, subscription = filled(*["b"] * 10, max_events=3), subscribed(["a"], at(10))
    subscription.join({"b"}, history.last, after=0)
    with pytest.raises(FellBehind):
        subscription.next_part(history)


TOPICS = [["a"], ["b"], ["a", "b"], [EVERYONE], ["c"]]


class Told:
    """A socket, and the history that it is told of: live, or as one who reads on."""

    def __init__(self, history: History, *topics: str) -> None:
        self.history = history
        self.registry = Subscriptions()
        self.reader = Reader()
        self.subscription = Subscription(topics, at(history.last), self.reader)
        self.registry.add(self.subscription)

    def publish(self, *topics: str) -> None:
        """Append an event, and give it to who is live."""
        self.registry.publish([self.append(*topics)], at(self.history.last))

    def announce(self, *topics: str) -> None:
        """Append an event that is too large to be given to all at once."""
        self.registry.announce([self.append(*topics)], self.history.last - 1)

    def append(self, *topics: str) -> Entry:
        """Append an event."""
        appended = entry(self.history.last + 1, *topics)
        self.history.append(appended)
        return appended

    def read_on(self) -> bool:
        """Have the socket take the next part."""
        return self.reader.read_on(self.subscription, self.history)

    def read_all(self) -> list[int]:
        """Have the socket take all there is; return the numbers of all that it has heard."""
        while self.read_on():
            pass
        return self.reader.numbers

    def hold(self) -> None:
        """Have the socket's transport be full."""
        self.subscription.hold(self.history.last)


@settings(max_examples=500)
@given(st.data())
def test_no_interleaving_of_writing_reading_and_joining_loses_or_doubles(data: st.DataObject) -> None:
    """Whatever happens between two parts, each event of its topics is heard once, and the live ones in order."""
    history = History(1000, 10**9)
    for topics in data.draw(st.lists(st.sampled_from(TOPICS), max_size=10)):
        history.append(entry(history.last + 1, *topics))
    begun = history.last
    told = Told(history, "a")
    joined: tuple[int, int | None] | None = None
    for _ in range(data.draw(st.integers(0, 30))):
        match data.draw(st.sampled_from(["publish", "announce", "read", "hold", "join"])):
            case "publish":
                told.publish(*data.draw(st.sampled_from(TOPICS)))
            case "announce":
                told.announce(*data.draw(st.sampled_from(TOPICS)))
            case "read":
                told.read_on()
            case "hold":
                told.hold()
            case _ if joined is None:
                joined = (history.last, data.draw(st.none() | st.integers(0, history.last)))
                told.registry.join(told.subscription, {"b"}, *joined)
    sent = told.read_all()
    assert len(sent) == len(set(sent)), "nothing twice"
    of_a = {each.seq for each in history.read(begun, {"a"}, 10**9).events}
    assert of_a <= set(sent), "everything of its first topic"
    if joined is None:
        assert sent == sorted(of_a)
        return
    now, after = joined
    of_b = {each.seq for each in history.read(now if after is None else after, {"b"}, 10**9).events}
    assert of_b <= set(sent), "everything of the topic that it joined"
    assert [seq for seq in sent if seq > now] == sorted(seq for seq in of_a | of_b if seq > now), "in order"


def test_the_past_of_a_topic_is_sent_where_another_topic_began_later() -> None:
    """What came before a socket connected was never heard, whatever its other topics are."""
    history = History(1000, 10**9)
    for seq in range(1, 11):
        history.append(entry(seq, "products", "category:books"))
    subscription = subscribed(["products"], at(10))
    assert drain(subscription, history) == []
    subscription.join({"category:books"}, history.last, after=5)
    assert numbers(drain(subscription, history)) == [6, 7, 8, 9, 10]


def test_who_was_sent_everything_is_given_what_comes() -> None:
    """A socket that lacks nothing is written to at the moment an event comes, and no turn has to pass."""
    told = Told(filled("a"), "a")
    assert not told.read_on()
    told.publish("a")
    told.publish("b")
    told.publish("a", "b")
    assert told.reader.numbers == [2, 4]
    assert [each.offset for each in told.reader.heard] == [f"{EPOCH}:2", f"{EPOCH}:4"]
    assert not told.reader.is_woken


def test_who_has_not_been_sent_everything_is_woken() -> None:
    """What comes during a replay waits in the history, behind what came before it."""
    told = Told(filled(), "a")
    told.publish("a")
    assert told.reader.is_woken
    assert told.reader.numbers == []
    assert told.read_all() == [1]


def test_who_is_held_is_given_nothing_until_it_has_read_on() -> None:
    """What comes while a transport is full costs no memory, and is read once there is room: each once, in order."""
    told = Told(filled(), "a")
    told.read_on()
    told.publish("a")
    told.hold()
    told.publish("a")
    told.publish("a")
    assert told.reader.numbers == [1]
    assert told.reader.is_woken
    assert told.read_all() == [1, 2, 3]
    told.publish("a")
    assert told.reader.numbers == [1, 2, 3, 4]


def test_who_is_full_while_it_is_given_something_does_not_read_it_again() -> None:
    """A transport may say that it is full in the middle of a write: what was written is not sent twice."""

    class Full(Reader):
        def write(self, part: Part) -> None:
            super().write(part)
            subscription.hold(history.last)

    history, reader, registry = filled(), Full(), Subscriptions()
    subscription = Subscription(["a"], at(0), reader)
    registry.add(subscription)
    assert not reader.read_on(subscription, history)
    for seq in (1, 2):
        history.append(entry(seq, "a"))
        registry.publish([entry(seq, "a")], at(seq))
    assert reader.numbers == [1]
    while reader.read_on(subscription, history):
        pass
    assert reader.numbers == [1, 2]


def test_a_client_ahead_of_its_emitter_is_not_given_what_it_has_heard() -> None:
    """A client that is at 5 when the emitter is at 3 is not live before the emitter has come as far."""
    told = Told(filled("a", "a", "a"), "a")
    told.registry.remove(told.subscription)
    told.subscription = Subscription(["a"], at(5), told.reader)
    told.registry.add(told.subscription)
    for _ in range(3):
        assert not told.read_on()
        told.publish("a")
    assert told.reader.numbers == [6]


def test_what_is_too_large_for_all_at_once_is_read_by_each() -> None:
    """Who is live is not given a large batch, but reads it as its transport takes it, and is live again."""
    told = Told(filled(), "a")
    told.read_on()
    told.announce("b")
    told.announce("a")
    assert told.reader.numbers == []
    assert told.reader.is_woken
    assert told.read_all() == [2]
    told.publish("a")
    assert told.reader.numbers == [2, 3]


def test_what_is_the_same_for_many_is_made_once() -> None:
    """All who are live on the same topics are given one and the same part, which is encoded once."""
    history, registry = filled(), Subscriptions()
    readers = {name: Reader() for name in ("a", "also a", "b")}
    for name, reader in readers.items():
        subscription = Subscription([name[-1]], at(0), reader)
        registry.add(subscription)
        reader.read_on(subscription, history)
    news = [entry(1, "a"), entry(2, "b"), entry(3, "a", "b")]
    for each in news:
        history.append(each)
    registry.publish(news, at(3))
    assert readers["a"].numbers == [1, 3]
    assert readers["b"].numbers == [2, 3]
    assert readers["a"].parts[0] is readers["also a"].parts[0]


def test_an_ended_subscription_is_given_nothing_more() -> None:
    """After the end of its epoch a socket that was live is written nothing, and learns of the end when it reads."""
    told = Told(filled(), "a")
    told.read_on()
    told.subscription.end()
    told.publish("a")
    assert told.reader.is_woken
    assert told.reader.numbers == []
    with pytest.raises(FellBehind):
        told.read_on()


def test_who_has_no_place_yet_is_given_nothing() -> None:
    """A socket that came before the hand-over begins where that ends, and reads what has come since."""
    told = Told(filled("a"), "a")
    told.registry.remove(told.subscription)
    told.subscription = Subscription(["a"], None, told.reader)
    told.registry.add(told.subscription)
    assert not told.read_on()
    told.publish("a")
    assert told.reader.numbers == []
    told.reader.is_woken = False
    told.subscription.begin(at(2))
    assert told.reader.is_woken
    told.publish("a")
    assert told.read_all() == [3]


def test_a_topic_joined_without_a_past_begins_now() -> None:
    """A socket that was quiet for long is not sent what came before it asked, and stays live."""
    told = Told(filled(), "quiet")
    told.read_on()
    for _ in range(10):
        told.publish("busy")
    assert told.registry.join(told.subscription, {"busy"}, told.history.last) is None
    told.publish("busy")
    assert told.reader.numbers == [11]


def test_a_topic_joined_with_its_past_has_what_comes_wait_for_it() -> None:
    """A live socket is given nothing while the past of another topic is sent, and what came meanwhile after it."""
    told = Told(filled("b", "b"), "a")
    told.read_on()
    done = told.registry.join(told.subscription, {"b"}, told.history.last, after=0)
    assert done is not None
    assert told.reader.is_woken
    told.publish("a")
    told.publish("b")
    assert told.reader.numbers == []
    assert told.read_all() == [1, 2, 3, 4]
    assert done.is_set()


def test_a_quiet_socket_joins_a_busy_topic_with_its_past() -> None:
    """The past of a topic ends now, not where the socket last heard something of its own."""
    told = Told(filled(), "quiet")
    told.read_on()
    for _ in range(10):
        told.publish("busy")
    assert told.registry.join(told.subscription, {"busy"}, told.history.last, after=5) is not None
    told.publish("busy")
    assert told.read_all() == [6, 7, 8, 9, 10, 11]


def test_a_topic_that_was_left_is_not_heard_and_can_be_joined_anew() -> None:
    """What comes between `unsubscribe` and `subscribe` is not heard, what comes after is."""
    told = Told(filled(), "a", "b")
    told.read_on()
    told.registry.leave(told.subscription, {"b"})
    told.publish("b")
    told.registry.join(told.subscription, {"b"}, told.history.last)
    told.publish("b")
    assert told.read_all() == [2]


@pytest.mark.parametrize("how", ["publish", "announce", "hold"])
def test_a_quiet_socket_does_not_fall_behind_the_memory_of_dropped_topics(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many other topics were dropped and forgotten, a socket that missed nothing stays connected."""
    monkeypatch.setattr(history_module, "MAX_DROPPED_TOPICS", 3)
    told = Told(History(2, 10**9), "quiet")
    told.read_on()
    for seq in range(1, 21):
        told.publish(f"product:{seq}")
    match how:
        case "publish":
            told.publish("quiet")
        case "announce":
            told.announce("quiet")
        case _:
            told.hold()
            told.publish("quiet")
    assert told.read_all() == [21]


def test_the_sockets_of_a_topic_are_found_each_once() -> None:
    """A socket in several matching topics gets an event once."""
    both, one = subscribed(["a", "b"], at(0)), subscribed(["b"], at(0))
    registry = Subscriptions()
    registry.add(both)
    registry.add(one)
    assert registry.of(["a", "b"]) == {both, one}
    assert registry.of(["a"]) == {both}
    assert registry.of([EVERYONE]) == {both, one} == registry.everyone()


def test_leaving_and_going_leave_nothing_behind() -> None:
    """A topic that nobody is in any more takes no memory."""
    subscription = subscribed(["a", "b"], at(0))
    registry = Subscriptions()
    registry.add(subscription)
    assert registry.join(subscription, {"c"}, now=0) is None
    registry.leave(subscription, {"a", "never"})
    assert subscription.topics == {"b", "c"}
    registry.remove(subscription)
    assert registry.of(["a", "b", "c"]) == set()
    assert registry.everyone() == set()
    assert not registry._of, "no empty set is kept"  # noqa: SLF001  # the memory is what is tested


def test_what_is_for_everyone_is_replayed_once() -> None:
    """A socket that asks for the past of one topic after the other hears a `resync` in it once."""
    history = filled(EVERYONE)
    subscription = subscribed(["products"], at(1))
    heard: list[Outgoing] = []
    for topic in ("category:a", "category:b"):
        subscription.join({topic}, history.last, after=0)
        heard += drain(subscription, history)
    assert numbers(heard) == [1]
