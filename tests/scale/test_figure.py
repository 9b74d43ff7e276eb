from tests.scale.figure import at_most, line, none, told


def test_one_line_says_each_figure_with_its_limit() -> None:
    """A person sees at once that all is as it has to be."""
    figures = [none("lost", 0), at_most("caught up after", 1.234, 3, "s"), told("reconnects", 12)]
    assert line("outage", figures) == "outage: ok: lost 0, caught up after 1.23 s (at most 3), reconnects 12"


def test_what_is_beyond_its_limit_stands_out() -> None:
    """One figure that does not hold is enough; at the limit it holds."""
    figures = [none("lost", 1), at_most("caught up after", 3, 3, "s"), told("reconnects", 12)]
    assert line("outage", figures) == "outage: FAILED: ! lost 1, caught up after 3 s (at most 3), reconnects 12"
    assert [figure.holds for figure in figures] == [False, True, True]
