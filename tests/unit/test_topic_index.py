import pytest

from ws_service.ingest.topic_index import TopicIndex


def test_what_was_dropped_is_not_kept_for_ever() -> None:
    """A busy topic takes as much memory as its kept events, however many there were; one without any takes none."""
    index = TopicIndex()
    for seq in range(1, 10_001):
        index.add(seq, ["busy", f"product:{seq}"])
        if seq > 100:
            index.drop(seq - 100, ["busy", f"product:{seq - 100}"])
    assert len(index._of) == 101  # noqa: SLF001  # what it takes is not to be had from outside
    assert len(index._of["busy"]) < 300  # noqa: SLF001
    assert list(index.find(["busy"], 9_901, 10_000)) == list(range(9_901, 10_001))


@pytest.mark.parametrize(("first", "last", "expected"), [(1, 9, [1, 2, 3, 4]), (2, 3, [2, 3]), (5, 9, []), (3, 2, [])])
def test_events_of_several_topics_come_once_and_in_order(first: int, last: int, expected: list[int]) -> None:
    """Whichever of them an event is of, and from wherever to wherever it is asked for."""
    index = TopicIndex()
    for seq, topics in enumerate([["a"], ["a", "b"], ["b"], ["a", "b", "c"]], 1):
        index.add(seq, topics)
    assert list(index.find(["b", "a", "nobody's"], first, last)) == expected
    assert list(index.find(["nobody's"], first, last)) == []
    assert index.count(["a", "b"], first) == len([seq for seq in range(1, 5) if seq >= first])
