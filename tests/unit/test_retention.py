from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from api_service.feed.retention import Limits, last_to_remove

DAY = timedelta(days=1)
COUNTS = st.integers(0, 100)


def test_what_is_old_goes() -> None:
    """Events older than the limit of age are removed, however few there are."""
    assert last_to_remove(Limits(DAY, 100, 200), last_expired=30, end=50, relayed=50) == 30


def test_what_is_too_many_goes() -> None:
    """The log is bounded by count, however young its events are."""
    assert last_to_remove(Limits(DAY, 10, 20), last_expired=0, end=50, relayed=50) == 40


def test_what_the_emitter_has_not_taken_stays() -> None:
    """An emitter that is away for a while loses nothing."""
    assert last_to_remove(Limits(DAY, 10, 1000), last_expired=45, end=50, relayed=7) == 7
    assert last_to_remove(Limits(DAY, 10, 1000), last_expired=45, end=50, relayed=None) == 0


def test_beyond_the_cap_even_that_goes() -> None:
    """A dead emitter does not fill the disk."""
    assert last_to_remove(Limits(DAY, 10, 20), last_expired=0, end=50, relayed=7) == 30


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.none() | COUNTS)
def test_the_newest_always_stays(events: int, cap: int, expired: int, end: int, relayed: int | None) -> None:
    """The newest entry holds the number and the token to go on from."""
    assert last_to_remove(Limits(DAY, events, cap), last_expired=expired, end=end, relayed=relayed) < max(end, 1)
