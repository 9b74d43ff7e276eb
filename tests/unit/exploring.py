"""Every way in which something can go, one after the other."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

Choose = Callable[[Sequence[T]], T]


def every_run(run: Callable[[Choose[T]], None]) -> int:
    """Call `run` for each combination of what it may choose; return how many there are.

    It must be the same function of its choices each time.
    """
    path: list[int] = []
    runs = 0
    while True:
        taken: list[tuple[int, int]] = []

        def choose(options: Sequence[T], path: list[int] = path, taken: list[tuple[int, int]] = taken) -> T:
            index = path[len(taken)] if len(taken) < len(path) else 0
            taken.append((index, len(options)))
            return options[index]

        run(choose)
        runs += 1
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return runs
        path = [index for index, _ in taken]
        path[-1] += 1
