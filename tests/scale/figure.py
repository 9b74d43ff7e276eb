"""What a run has shown, and what it had to show. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured thing; `limit` is what it may be at most, None where it is only told."""

    name: str
    value: float
    unit: str
    limit: float | None

    @property
    def holds(self) -> bool:
        """Whether it is as it has to be."""
        return self.limit is None or self.value <= self.limit

    def __str__(self) -> str:
        unit = self.unit and f" {self.unit}"
        limit = "" if not self.limit else f" (at most {self.limit:g})"
        return f"{self.name} {self.value:.6g}{unit}{limit}"


def none(name: str, value: float) -> Figure:
    """Return the figure of something that must not happen at all."""
    return Figure(name, value, "", 0)


def at_most(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """Return a figure with a limit."""
    return Figure(name, round(value, 2), unit, limit)


def told(name: str, value: float, unit: str = "") -> Figure:
    """Return a figure that is there to be read."""
    return Figure(name, round(value, 2), unit, None)


def line(name: str, figures: Sequence[Figure]) -> str:
    """Return the one line of a run."""
    verdict = "ok" if all(figure.holds for figure in figures) else "FAILED"
    return f"{name}: {verdict}: {', '.join(('' if figure.holds else '! ') + str(figure) for figure in figures)}"
