from hypothesis import given
from hypothesis import strategies as st

from deploy.local.backoff import LONGEST_DELAY_SECONDS, STABLE_AFTER_SECONDS, delay_seconds, quick_deaths


def test_the_pause_doubles_from_a_tenth_of_a_second_to_five_seconds() -> None:
    """A child that died once is back at once; one that keeps dying is tried every five seconds."""
    assert [delay_seconds(deaths) for deaths in range(1, 9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@given(st.lists(st.floats(min_value=0, max_value=STABLE_AFTER_SECONDS, exclude_max=True), max_size=2000))
def test_no_number_of_deaths_makes_the_pause_longer(uptimes: list[float]) -> None:
    """However often a child dies, it is tried again, and nothing overflows."""
    deaths = 0
    for uptime in uptimes:
        deaths = quick_deaths(deaths, uptime)
        assert 0 < delay_seconds(deaths) <= LONGEST_DELAY_SECONDS


def test_a_child_that_had_stayed_up_begins_anew() -> None:
    """Ten seconds of life forgive the deaths before."""
    assert quick_deaths(7, STABLE_AFTER_SECONDS) == 1
    assert quick_deaths(7, STABLE_AFTER_SECONDS - 0.1) == 8
