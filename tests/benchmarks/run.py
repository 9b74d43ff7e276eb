"""What every part of the benchmark is given."""

from collections.abc import Callable
from typing import NamedTuple

from tests.benchmarks.figures import Figures


class Scale(NamedTuple):
    """How large and how long the benchmark is; the counts are clients."""

    rounds: int
    few: int
    many: int
    most: int
    seconds: float
    settle_s: float
    idle_s: float
    idle_ping_interval_ms: int
    system_rounds: int
    system_s: float
    creates: int


FULL = Scale(
    rounds=3,
    few=1_000,
    many=5_000,
    most=10_000,
    seconds=4,
    settle_s=1,
    idle_s=60,
    idle_ping_interval_ms=25_000,
    system_rounds=3,
    system_s=10,
    creates=300,
)
QUICK = Scale(
    rounds=1,
    few=150,
    many=600,
    most=1_500,
    seconds=0.4,
    settle_s=0.3,
    idle_s=2,
    idle_ping_interval_ms=1_000,
    system_rounds=1,
    system_s=1.5,
    creates=20,
)


class Run(NamedTuple):
    """One run: which emitters, at which scale, where the figures go, and who is told how far it has come."""

    names: list[str]
    scale: Scale
    figures: Figures
    tell: Callable[[str], None]
