import pytest

from tests.chaos.judge import Change, Heard, Verdict, commit_order, judge

COMMITTED = [Change("new_product", f"product-{number}", 1) for number in range(5)]
PLACES = commit_order(COMMITTED)


def as_heard(*changes: Change) -> list[Heard]:
    """Return a hearing of these changes, numbered in the order in which they arrived."""
    return [Heard(seq, change, at_ms=0.0) for seq, change in enumerate(changes, 1)]


def test_each_change_once_and_in_order_is_clean() -> None:
    """Numbers may begin anywhere."""
    heard = [Heard(100 + number, change, 0.0) for number, change in enumerate(COMMITTED)]
    assert judge(PLACES, heard).clean


@pytest.mark.parametrize("missing", range(5))
def test_a_lost_change_is_found(missing: int) -> None:
    """Wherever it was, also the first and the last."""
    heard = as_heard(*COMMITTED[:missing], *COMMITTED[missing + 1 :])
    assert judge(PLACES, heard) == Verdict([COMMITTED[missing]], [], [], [])


@pytest.mark.parametrize("again_after", range(5))
def test_a_doubled_change_is_found(again_after: int) -> None:
    """At once or later, under its old number or under a new one; it does not count as out of order as well."""
    heard = as_heard(*COMMITTED)
    for seq in (1, 99):
        doubled = [*heard[: again_after + 1], Heard(seq, COMMITTED[0], 0.0), *heard[again_after + 1 :]]
        assert judge(PLACES, doubled) == Verdict([], [COMMITTED[0]], [], [])


def test_swapped_changes_are_found_whatever_their_numbers() -> None:
    """Numbers that rise do not help when they were given in another order than that of the commits."""
    a, b, c, d, e = COMMITTED
    assert judge(PLACES, as_heard(a, c, b, d, e)) == Verdict([], [], [b], [])


def test_numbers_that_do_not_rise_are_found() -> None:
    """Two changes under one number are as wrong as a number that goes back."""
    for seqs in ([1, 2, 2, 3, 4], [1, 3, 2, 4, 5]):
        heard = [Heard(seq, change, 0.0) for seq, change in zip(seqs, COMMITTED, strict=True)]
        assert judge(PLACES, heard).out_of_order == [COMMITTED[2]]


def test_what_was_never_committed_is_found() -> None:
    """Such as a change that an election took back."""
    invented = Change("product_updated", "product-1", 9)
    assert judge(PLACES, as_heard(*COMMITTED, invented)) == Verdict([], [], [], [invented])


def test_hearing_nothing_is_losing_everything() -> None:
    """A subscriber that never came back is not a clean one."""
    assert judge(PLACES, []).lost == COMMITTED
