import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import EVERYONE, Position
from tests.events import EPOCH, event, events
from ws_service.ingest import history as history_module
from ws_service.ingest import subscriptions as module
from ws_service.ingest.history import History, is_for
from ws_service.ingest.subscriptions import FellBehind, Outgoing, Subscription, Subscriptions


def filled(*topics_of_each: str, max_events: int = 1000) -> History:
    history = History(max_events, 10**9)
    for seq, topic in enumerate(topics_of_each, 1):
        history.append(event(seq, topic))
    return history


def at(seq: int) -> Position:
    return Position(EPOCH, seq)


def drain(subscription: Subscription, history: History) -> list[Outgoing]:
    sent: list[Outgoing] = []
    while part := subscription.next_part(history):
        sent += part
    return sent


def numbers(sent: list[Outgoing]) -> list[int]:
    return [each.event.seq for each in sent]


def test_it_goes_on_from_where_it_began_and_says_nothing_twice() -> None:
    """A socket that was at 2 hears 3 and 4, and later only what is new."""
    history, subscription = filled("a", "a", "a", "a"), Subscription(["a"], at(2))
    assert numbers(drain(subscription, history)) == [3, 4]
    history.append(event(5, "a"))
    assert numbers(drain(subscription, history)) == [5]


def test_each_event_carries_the_offset_to_resume_from() -> None:
    """The offset of an event is its own position."""
    sent = drain(Subscription(["a"], at(0)), filled("a", "b", "a"))
    assert [each.offset for each in sent] == [f"{EPOCH}:1", f"{EPOCH}:3"]


def test_a_client_ahead_of_its_emitter_hears_nothing_twice() -> None:
    """A client that is at 5 when the emitter is at 3 hears 6 next."""
    history, subscription = filled("a", "a", "a"), Subscription(["a"], at(5))
    assert drain(subscription, history) == []
    for seq in (4, 5, 6):
        history.append(event(seq, "a"))
    assert numbers(drain(subscription, history)) == [6]


def test_who_falls_behind_the_history_is_told_so() -> None:
    """A socket never skips what was dropped: it is cut off, comes back, and learns that it has to read anew."""
    history, subscription = History(3, 10**9), Subscription(["a"], at(0))
    for each in events(1, 10, "a"):
        history.append(each)
    with pytest.raises(FellBehind):
        subscription.next_part(history)


def test_who_is_slow_on_a_quiet_topic_does_not_fall_behind() -> None:
    """What was dropped of other topics does not matter."""
    history, subscription = filled("quiet", *["busy"] * 50, "quiet", max_events=5), Subscription(["quiet"], at(1))
    assert numbers(drain(subscription, history)) == [52]


def test_a_long_replay_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much was missed, no more than a part of it waits in the transport."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    history, subscription = filled("a", "a", "a"), Subscription(["a"], at(0))
    assert [numbers(subscription.next_part(history)) for _ in range(4)] == [[1], [2], [3], []]


def test_an_ended_subscription_sends_nothing_more() -> None:
    """After the end of its epoch a socket hears nothing, not even what is in the history."""
    subscription = Subscription(["a"], at(0))
    subscription.end()
    with pytest.raises(FellBehind):
        subscription.next_part(filled("a"))


def test_topics_joined_later_replay_what_was_missed_of_them_alone() -> None:
    """`subscribe` with `after` gives the past of the new topics, in order, and nothing that was heard before."""
    history = filled("a", "b", "a", "b", "b")
    history.append(event(6, "a", "b"))
    subscription = Subscription(["a"], at(0))
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
    history, subscription = filled("b", "b"), Subscription(["a"], at(2))
    done = subscription.join({"b"}, history.last, after=0)
    assert done is not None
    assert numbers(subscription.next_part(history)) == [1]
    assert numbers(subscription.next_part(history)) == [2]
    assert not done.is_set()
    subscription.next_part(history)
    assert done.is_set()


def test_the_end_of_a_socket_ends_the_wait_for_its_replay() -> None:
    """No request waits for ever on a socket that is gone."""
    subscription = Subscription(["a"], at(2))
    done = subscription.join({"b"}, now=2, after=0)
    subscription.end()
    assert done is not None
    assert done.is_set()


def test_a_replay_that_was_overtaken_by_the_history_is_no_partial_one() -> None:
    """A replay that cannot be completed cuts the socket off."""
    history, subscription = filled(*["b"] * 10, max_events=3), Subscription(["a"], at(10))
    subscription.join({"b"}, history.last, after=0)
    with pytest.raises(FellBehind):
        subscription.next_part(history)


TOPICS = [["a"], ["b"], ["a", "b"], [EVERYONE], ["c"]]


@settings(max_examples=500)
@given(st.data())
def test_no_interleaving_of_writing_reading_and_joining_loses_or_doubles(data: st.DataObject) -> None:
    """Whatever happens between two parts, each event of its topics is heard once, and the live ones in order."""
    history = History(1000, 10**9)
    for topics in data.draw(st.lists(st.sampled_from(TOPICS), max_size=10)):
        history.append(event(history.last + 1, *topics))
    begun = history.last
    subscription = Subscription(["a"], at(begun))
    sent: list[int] = []
    joined: tuple[int, int | None] | None = None
    for _ in range(data.draw(st.integers(0, 30))):
        step = data.draw(st.sampled_from(["append", "send", "join"]))
        if step == "append":
            before = history.last
            history.append(event(before + 1, *data.draw(st.sampled_from(TOPICS))))
            if is_for(history.read(before, {"a", "b", "c"}, 1).events[0], subscription.topics):
                subscription.notice(before)
        elif step == "send":
            sent += numbers(subscription.next_part(history))
        elif joined is None:
            joined = (history.last, data.draw(st.none() | st.integers(0, history.last)))
            subscription.join({"b"}, *joined)
    sent += numbers(drain(subscription, history))
    assert len(sent) == len(set(sent)), "nothing twice"
    of_a = {each.seq for each in history.read(begun, {"a"}, 10**9).events}
    assert of_a <= set(sent), "everything of its first topic"
    if joined is None:
        assert sent == sorted(of_a)
        return
    now, after = joined
    of_b = {each.seq for each in history.read(now if after is None else after, {"b"}, 10**9).events}
    assert of_b <= set(sent), "everything of the topic that it joined"


def test_the_past_of_a_topic_is_sent_where_another_topic_began_later() -> None:
    """What came before a socket connected was never heard, whatever its other topics are."""
    history = History(1000, 10**9)
    for seq in range(1, 11):
        history.append(event(seq, "products", "category:books"))
    subscription = Subscription(["products"], at(10))
    assert drain(subscription, history) == []
    subscription.join({"category:books"}, history.last, after=5)
    assert numbers(drain(subscription, history)) == [6, 7, 8, 9, 10]


def test_a_topic_joined_without_a_past_begins_now() -> None:
    """A socket that was quiet for long is not sent what came before it asked."""
    history = filled(*["busy"] * 10)
    subscription = Subscription(["quiet"], at(0))
    assert drain(subscription, history) == []
    subscription.join({"busy"}, history.last, after=None)
    history.append(event(11, "busy"))
    subscription.notice(10)
    assert numbers(drain(subscription, history)) == [11]


def test_a_quiet_socket_does_not_fall_behind_the_memory_of_dropped_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many other topics were dropped and forgotten, a socket that missed nothing stays connected."""
    monkeypatch.setattr(history_module, "MAX_DROPPED_TOPICS", 3)
    history, subscription = History(2, 10**9), Subscription(["quiet"], at(0))
    assert drain(subscription, history) == []
    for seq in range(1, 21):
        history.append(event(seq, f"product:{seq}"))
    history.append(event(21, "quiet"))
    subscription.notice(20)
    assert numbers(drain(subscription, history)) == [21]


async def test_a_wake_up_between_reading_and_waiting_is_not_lost() -> None:
    """An event that arrives after the history was read, and before the writer waits, is sent at once."""
    history, subscription = filled(), Subscription(["a"], at(0))
    assert subscription.next_part(history) == []
    history.append(event(1, "a"))
    subscription.notice(0)
    await asyncio.wait_for(subscription.woken(), 1)
    assert numbers(subscription.next_part(history)) == [1]


def test_the_sockets_of_a_topic_are_found_each_once() -> None:
    """A socket in several matching topics gets an event once."""
    both, one = Subscription(["a", "b"], at(0)), Subscription(["b"], at(0))
    registry = Subscriptions()
    registry.add(both)
    registry.add(one)
    assert registry.of(["a", "b"]) == {both, one}
    assert registry.of(["a"]) == {both}
    assert registry.of([EVERYONE]) == {both, one} == registry.everyone()


def test_leaving_and_going_leave_nothing_behind() -> None:
    """A topic that nobody is in any more takes no memory."""
    subscription = Subscription(["a", "b"], at(0))
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
    subscription = Subscription(["products"], at(1))
    heard: list[Outgoing] = []
    for topic in ("category:a", "category:b"):
        subscription.join({topic}, history.last, after=0)
        heard += drain(subscription, history)
    assert numbers(heard) == [1]
