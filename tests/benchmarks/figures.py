"""What was measured: one value for each measure, server and round; and what is made of the rounds."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self


class Measure(NamedTuple):
    """What is measured: a row of a table. Some describe the measuring itself and are not `compared`."""

    table: str
    name: str
    unit: str
    compared: bool = True
    plotted: bool = False


class Spread(NamedTuple):
    """The middle and the ends of what the rounds gave."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarise the values of one round or more."""
        return cls(statistics.median(values), min(values), max(values))


class Figures:
    """All values of a run."""

    def __init__(self) -> None:
        self._values: dict[Measure, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, server: str, values: Mapping[Measure, float]) -> None:
        """Note what one round gave; rounds are noted in the same order for all servers."""
        for measure, value in values.items():
            self._values[measure][server].append(value)

    def tables(self) -> dict[str, list[Measure]]:
        """Return the measures of each table, in the order in which they were first noted."""
        tables = defaultdict(list)
        for measure in self._values:
            tables[measure.table].append(measure)
        return tables

    def servers(self, measures: Iterable[Measure]) -> list[str]:
        """Return the servers that any of the measures has values of, in the order in which they were first noted."""
        return list(dict.fromkeys(server for measure in measures for server in self._values[measure]))

    def spread(self, measure: Measure, server: str) -> Spread | None:
        """Summarise the rounds of one server."""
        values = self._values[measure].get(server)
        return Spread.of(values) if values else None

    def ratio(self, measure: Measure, server: str, to: str) -> Spread | None:
        """Summarise the ratios of two servers, each within one round: the machine's moods fall on both alike."""
        values, others = (self._values[measure].get(name, []) for name in (server, to))
        ratios = [value / other for value, other in zip(values, others, strict=False) if other]
        return Spread.of(ratios) if ratios and measure.compared else None


def percentile(values: Sequence[float], share: int) -> float:
    """Return the value below which `share` % of the values lie (the nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]
