"""The figures as tables."""

from rich.console import Console
from rich.table import Table

from tests.benchmarks import cluster, system
from tests.benchmarks.figures import Figures, Measure, Spread
from tests.benchmarks.servers import BARE, NODE, STOCK, STORECAST

_RATIOS = (
    (STORECAST, NODE),
    (STOCK, NODE),
    (STORECAST, BARE),
    (system.STORECAST, system.NODE),
    (cluster.CLUSTERED, STORECAST),
)


def show(figures: Figures, console: Console) -> None:
    """Print every table."""
    for title in figures.tables():
        heads, rows = grid(figures, title)
        table = Table(title=title, title_justify="left")
        for number, head in enumerate(heads):
            table.add_column(head, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def grid(figures: Figures, title: str) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of a table."""
    measures = figures.tables()[title]
    names = figures.servers(measures)
    ratios = [(server, to) for server, to in _RATIOS if {server, to} <= set(names)]
    heads = ["", *names, *(f"{_short(server)} / {_short(to)}" for server, to in ratios)]
    return heads, [_row(figures, measure, names, ratios) for measure in measures]


def _short(server: str) -> str:
    return server.replace(":", "").split()[0]


def _row(figures: Figures, measure: Measure, names: list[str], ratios: list[tuple[str, str]]) -> list[str]:
    return [
        f"{measure.name}, {measure.unit}" if measure.unit else measure.name,
        *(_spread(figures.spread(measure, name)) for name in names),
        *(_spread(figures.ratio(measure, server, to)) for server, to in ratios),
    ]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.least == spread.most:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)}..{number(spread.most)})"


def number(value: float) -> str:
    """Show three digits that count."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
