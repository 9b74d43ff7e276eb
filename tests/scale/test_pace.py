import pytest

from tests.scale.pace import most_over_mean, per_second


def test_seconds_are_counted_from_the_first_time_to_the_last() -> None:
    """Also those in between in which nothing happened."""
    assert per_second([5_500, 2_499, 2_500, 1_500]) == [2, 1, 0, 0, 1]
    assert per_second([]) == []


def test_a_storm_is_many_times_the_mean() -> None:
    """An even pace is 1; that nothing happened is no storm."""
    assert most_over_mean([5, 5, 5]) == 1
    assert most_over_mean([0, 9, 0]) == 3
    assert most_over_mean([3, 9, 6]) == pytest.approx(1.5)
    assert most_over_mean([]) == 0
