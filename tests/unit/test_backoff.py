from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import CAP_S, Backoff, delay_s


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.sampled_from([CAP_S, 5.0]))
def test_a_wait_is_never_nothing_and_never_over_the_cap(failures: int, chance: float, cap_s: float) -> None:
    """A failing part is neither hammered nor forgotten."""
    assert 0 < delay_s(failures, chance, cap_s) <= cap_s


def test_waits_grow_with_the_failures() -> None:
    """Each failure in a row waits longer, until the cap."""
    waits = [delay_s(failures, 0.5) for failures in range(10)]
    assert waits == sorted(waits)
    assert waits[0] < CAP_S / 3
    assert waits[-1] == waits[-2]
    assert delay_s(9, 0.5, cap_s=5.0) > 2


def test_success_starts_over() -> None:
    """After something worked, the next failure is met quickly again."""
    backoff = Backoff()
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.05
