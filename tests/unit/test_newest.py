import pytest

from api_service.feed.newest import Newest
from shared.events import Event

SIZE = len(Event(seq=1, event="x", payload="y").model_dump_json())


def events(first: int, last: int, payload: str = "y") -> list[Event]:
    return [Event(seq=seq, event="x", payload=payload) for seq in range(first, last + 1)]


def seqs(newest: Newest, after: int) -> list[int] | None:
    found = newest.read(after)
    return None if found is None else [each.event.seq for each in found]


@pytest.mark.parametrize(("most", "most_bytes"), [(3, 10**9), (10**9, 3 * SIZE)], ids=["events", "bytes"])
def test_the_newest_are_kept_within_bounds(most: int, most_bytes: int) -> None:
    """A leader whose emitter is away does not fill its memory, however many come, or how large they are."""
    newest = Newest(most, most_bytes)
    newest.add(events(1, 2))
    assert seqs(newest, 0) == [1, 2]
    newest.add(events(3, 5))
    assert seqs(newest, 1) is None
    assert seqs(newest, 2) == [3, 4, 5]
    assert seqs(newest, 4) == [5]


def test_one_that_is_larger_than_all_room_is_not_kept() -> None:
    """It is read from the log."""
    newest = Newest(10, 100)
    newest.add(events(1, 1, "x" * 200))
    assert not newest.ends_at(1)
    assert seqs(newest, 0) is None


def test_what_does_not_follow_begins_anew() -> None:
    """What is read has no gap, even if another leader has appended in between."""
    newest = Newest(10, 10**9)
    newest.add(events(1, 2))
    newest.add(events(5, 6))
    assert seqs(newest, 0) is None
    assert seqs(newest, 4) == [5, 6]
    assert newest.ends_at(6)
