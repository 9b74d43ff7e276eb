"""The figures as a picture: a small chart for each measure that is worth one, in SVG."""

from collections.abc import Iterator
from html import escape
from itertools import chain

from tests.benchmarks.figures import Figures, Measure
from tests.benchmarks.report import number

_COLUMNS = 2
_WIDTH, _HEAD, _BAR, _GAP, _PAD = 460, 34, 18, 6, 20
_LABEL, _VALUE = 190, 70
_COLOURS = ("#2563eb", "#9ca3af", "#9ca3af", "#d1d5db")


def svg(figures: Figures) -> str:
    """Draw every measure that is plotted."""
    measures = [measure for measures in figures.tables().values() for measure in measures if measure.plotted]
    most = max((len(figures.servers([measure])) for measure in measures), default=0)
    height = _HEAD + most * (_BAR + _GAP) + _PAD
    rows = -(-len(measures) // _COLUMNS)
    size = (_COLUMNS * (_WIDTH + _PAD) + _PAD, rows * height + _PAD)
    charts = chain.from_iterable(
        _chart(figures, measure, _PAD + place % _COLUMNS * (_WIDTH + _PAD), _PAD + place // _COLUMNS * height)
        for place, measure in enumerate(measures)
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        f'height="{size[1]}" font-family="sans-serif" font-size="12" fill="#111827">'
    )
    return "\n".join((head, '<rect width="100%" height="100%" fill="white"/>', *charts, "</svg>\n"))


def _chart(figures: Figures, measure: Measure, left: int, top: int) -> Iterator[str]:
    medians = {name: spread.median for name in figures.servers([measure]) if (spread := figures.spread(measure, name))}
    unit = f", {measure.unit}" if measure.unit else ""
    yield _text(left, top + 10, measure.table, weight="bold")
    yield _text(left, top + 26, f"{measure.name}{unit}")
    scale = (_WIDTH - _LABEL - _VALUE) / max(medians.values())
    for place, (name, median) in enumerate(medians.items()):
        y = top + _HEAD + place * (_BAR + _GAP)
        width = max(1, round(median * scale))
        yield _text(left, y + 13, name)
        yield f'<rect x="{left + _LABEL}" y="{y}" width="{width}" height="{_BAR}" fill="{_COLOURS[place]}"/>'
        yield _text(left + _LABEL + width + 5, y + 13, number(median))


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>'
