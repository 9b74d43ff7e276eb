import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import EVERYONE, Event
from tests.events import entries, entry
from ws_service.ingest import history as module
from ws_service.ingest.entry import Entry
from ws_service.ingest.history import History

TOPICS = ["products", "category:a", "category:b", EVERYONE]
PLENTY = 10**9


def kept(*appended: Entry, max_events: int = 100, max_bytes: int = PLENTY) -> History:
    history = History(max_events, max_bytes)
    for each in appended:
        history.append(each)
    return history


def seqs(history: History, after: int, *topics: str, max_bytes: int = PLENTY) -> list[int]:
    return [each.seq for each in history.read(after, set(topics), max_bytes).events]


def test_what_is_beyond_a_number_is_read_in_order() -> None:
    """A socket that heard up to 2 is given 3, 4 and 5, and nothing else."""
    assert seqs(kept(*entries(1, 5)), 2, "products") == [3, 4, 5]


def test_only_the_asked_topics_are_read() -> None:
    """A socket hears its topics alone, and an event of two of its topics once."""
    history = kept(entry(1, "a"), entry(2, "b"), entry(3, "a", "b"), entry(4, "c"))
    assert seqs(history, 0, "a", "b") == [1, 2, 3]


def test_what_is_for_everyone_reaches_every_topic() -> None:
    """`resync` is heard by whoever listens to anything."""
    assert seqs(kept(entry(1, EVERYONE)), 0, "category:a") == [1]


def test_a_parked_event_is_heard_by_nobody() -> None:
    """The number of a parked event is taken, and nothing is sent for it."""
    history = kept(Entry.of(Event(seq=1, event=None)), entry(2))
    assert seqs(history, 0, "products") == [2]


def test_a_chunk_is_bounded_but_never_empty() -> None:
    """A large replay is read piece by piece, and an event larger than a piece still comes."""
    history = kept(*entries(1, 4))
    first = history.read(0, {"products"}, 1)
    assert [each.seq for each in first.events] == [1]
    assert first.seq == 1
    assert seqs(history, first.seq, "products") == [2, 3, 4]


def test_the_oldest_are_dropped_beyond_the_count() -> None:
    """The history is bounded by count."""
    history = kept(*entries(1, 10), max_events=3)
    assert seqs(history, 0, "products") == [8, 9, 10]
    assert history.reaches_back_to(7, {"products"})
    assert not history.reaches_back_to(6, {"products"})


def test_the_oldest_are_dropped_beyond_the_bytes() -> None:
    """The history is bounded by bytes, whatever the count."""
    size = entry(1).size
    assert seqs(kept(*entries(1, 9), max_bytes=3 * size), 0, "products") == [7, 8, 9]


def test_a_quiet_topic_is_not_lost_because_others_were_busy() -> None:
    """Recovery of a topic depends on the drops of its own events only."""
    history = kept(entry(1, "quiet"), *entries(2, 50, "busy"), max_events=5)
    assert history.reaches_back_to(1, {"quiet"})
    assert not history.reaches_back_to(0, {"quiet"})
    assert not history.reaches_back_to(1, {"quiet", "busy"})


def test_nothing_is_known_of_what_came_before_the_beginning() -> None:
    """A history that begins at 100 recovers nobody who was at 50."""
    history = History(10, PLENTY)
    history.clear(100)
    history.append(entry(101))
    assert history.reaches_back_to(100, {"anything"})
    assert not history.reaches_back_to(99, {"anything"})


def test_the_memory_of_dropped_topics_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million topics do not fill the memory; those forgotten are taken for lost, never for recovered."""
    monkeypatch.setattr(module, "MAX_DROPPED_TOPICS", 3)
    history = kept(*(entry(seq, f"t{seq}") for seq in range(1, 11)), max_events=1)
    assert history.reaches_back_to(9, {"t9"})
    assert not history.reaches_back_to(5, {"t1"})


@given(
    st.lists(st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3, unique=True), max_size=30),
    st.integers(1, 8),
    st.sets(st.sampled_from(TOPICS), min_size=1),
    st.integers(0, 30),
)
def test_it_agrees_with_a_list_that_forgets_nothing(
    topics: list[list[str]], max_events: int, wanted: set[str], after: int
) -> None:
    """What is called recoverable is exactly what a complete memory would have given."""
    appended = [entry(seq, *each) for seq, each in enumerate(topics, 1)]
    history = kept(*appended, max_events=max_events)
    missed = [
        each.seq for each in appended if each.seq > after and (EVERYONE in each.topics or wanted & set(each.topics))
    ]
    if history.reaches_back_to(after, wanted):
        assert seqs(history, after, *wanted) == missed
        assert history.count(after, wanted) == len(missed)
    else:
        assert seqs(history, after, *wanted) != missed
