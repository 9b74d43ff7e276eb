"""A client may send so many packets: in the long run, and at once."""

from types import SimpleNamespace

import pytest

from ws_service.engine.decoder import MAX_ATTACHMENTS
from ws_service.limits import pace
from ws_service.limits.allowance import MOST_OWED, PACKETS_PER_MESSAGE, Allowance
from ws_service.limits.pace import Pace


class Clock(SimpleNamespace):
    """A clock that is set by hand."""

    now = 1_000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def test_those_of_five_seconds_may_come_at_once(clock: Clock) -> None:
    """One by one or together; and one more is too many."""
    assert clock
    single, together = Allowance(10), Allowance(10)
    assert all(single.permits(1) for _ in range(600))
    assert not single.permits(1)
    assert together.permits(600)
    assert not together.permits(1)


def test_in_the_long_run_it_is_the_rate(clock: Clock) -> None:
    """Who has sent all at once may go on at the rate, and not faster."""
    sent = Allowance(10)
    assert sent.permits(600)
    for _ in range(1_000):
        clock.now += 0.1
        assert sent.permits(12)
    clock.now += 0.1
    assert not sent.permits(13)


def test_who_was_silent_has_no_more_than_that(clock: Clock) -> None:
    """Silence is not saved up."""
    sent = Allowance(10)
    assert sent.permits(1)
    clock.now += 3_600
    assert sent.permits(600)
    assert not sent.permits(1)


def test_it_is_enough_for_the_largest_requests_a_client_may_make() -> None:
    """A message with all its attachments comes in so many packets, and the client has a pong to send, too."""
    assert PACKETS_PER_MESSAGE >= 1 + MAX_ATTACHMENTS + 1


def test_what_is_asked_for_is_free(clock: Clock) -> None:
    """Each question lets one packet more come, however fast they are asked, and no more than that."""
    assert clock
    sent = Allowance(10)
    assert sent.permits(600)
    for _ in range(10_000):
        sent.expect(1)
        assert sent.permits(1)
    sent.expect(5)
    assert not sent.permits(6)


def test_what_was_not_answered_is_not_saved_up_for_ever(clock: Clock) -> None:
    """Who is asked and never answers cannot send all that it owes at some later time."""
    assert clock
    sent = Allowance(10)
    for _ in range(2 * MOST_OWED):
        sent.expect(1)
    assert sent.permits(MOST_OWED + 600)
    assert not sent.permits(1)


def test_who_comes_too_early_is_told_by_how_much(clock: Clock) -> None:
    """Beyond what may come at once, each is due a while after the one before."""
    pace = Pace(10)
    assert [pace.early_s(1) for _ in range(52)] == pytest.approx([0.0] * 50 + [0.1, 0.2], abs=1e-9)
    clock.now += 0.2
    assert pace.early_s(1) == pytest.approx(0.1)
