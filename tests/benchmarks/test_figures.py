"""What is made of the rounds, and how it is shown."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from tests.benchmarks import document, machine, report
from tests.benchmarks.figures import Figures, Measure, Spread, percentile
from tests.benchmarks.servers import BARE, NODE, STORECAST

CPU = Measure("1,000 clients", "server CPU for each delivery", "us", plotted=True)
LOAD = Measure("1,000 clients", "load generator's CPU", "%", compared=False)


@pytest.fixture
def figures() -> Figures:
    """Three rounds of two servers, and one of the limit; the machine was slow in the last."""
    figures = Figures()
    for ours, theirs in ((8, 16), (9, 12), (40, 80)):
        figures.add(STORECAST, {CPU: ours, LOAD: 50})
        figures.add(NODE, {CPU: theirs, LOAD: 25.25})
    figures.add(BARE, {CPU: 6.4})
    return figures


def test_a_ratio_is_taken_within_each_round(figures: Figures) -> None:
    """What slows the machine for a while falls on both servers alike."""
    assert figures.spread(CPU, STORECAST) == Spread(9, 8, 40)
    assert figures.ratio(CPU, STORECAST, NODE) == Spread(0.5, 0.5, 0.75)
    assert figures.ratio(CPU, STORECAST, BARE) == Spread(1.25, 1.25, 1.25)


def test_what_says_nothing_of_a_server_is_not_compared(figures: Figures) -> None:
    """There is no ratio of the load generator's CPU, nor to a server that was not measured."""
    assert figures.ratio(LOAD, STORECAST, NODE) is None
    assert figures.ratio(CPU, STORECAST, "another") is None
    assert figures.spread(LOAD, BARE) is None


def test_a_percentile_is_a_value_that_was_seen() -> None:
    """The 99th percentile of a few values is the largest, not one in between."""
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([float(value) for value in range(1, 101)], 99) == 99
    assert percentile([1, 5], 99) == 5
    assert percentile([7], 1) == 7


def test_the_tables_show_medians_and_spread(figures: Figures) -> None:
    """A figure is never shown without how sure it is."""
    console = Console(width=200)
    with console.capture() as capture:
        report.show(figures, console)

    printed = capture.get()
    assert "9 (8..40)" in printed
    assert "0.50 (0.50..0.75)" in printed
    assert "25.2" in printed
    assert "Storecast / Node" in printed


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0812, "0.08"), (3, "3"), (9.256, "9.26"), (14.26, "14.3"), (123.4, "123"), (1e6, "1,000,000")],
)
def test_numbers_have_the_digits_that_count(value: float, shown: str) -> None:
    """No figure looks more exact than it is."""
    assert report.number(value) == shown


def test_the_page_holds_the_tables_the_machine_and_the_command(figures: Figures, tmp_path: Path) -> None:
    """A reader can tell what was measured, on what, and how to do it again."""
    document.write(figures, machine.description(), "make bench", tmp_path)

    page = (tmp_path / document.PAGE).read_text()
    picture = ET.parse(tmp_path / document.PICTURE).getroot()  # noqa: S314  # we have just written it
    assert "| server CPU for each delivery, us | 9 (8..40) | 16 (12..80) | 6.40 | 0.50 (0.50..0.75) | 1.25 |" in page
    assert all(fact in page for fact in ("`make bench`", "Linux", "python-socketio 5.", "socket.io 4."))
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:4] == ["1,000 clients", "server CPU for each delivery, us", STORECAST, "9"]
    assert "load generator's CPU, %" not in texts
