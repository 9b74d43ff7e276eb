"""Judges the images that were built, and prints what was seen; tests.images starts it in a network of its own."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from rich.console import Console
from rich.table import Table

from tests.images import alone, contents, job
from tests.images.build import NAMES
from tests.images.engine import LOGS, podman
from tests.scale.figure import Figure, none

PARTS: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
    **{f"image of the {name}": partial(contents.judge, name) for name in NAMES},
    "started by hand": alone.judge,
    **{f"compose, {name}": partial(job.judge, variant) for name, variant in job.VARIANTS.items()},
}


async def main() -> int:
    """Return the exit code: 1 if anything is not as it has to be."""
    await _clear()
    results = {name: await _judged(name, judge) for name, judge in PARTS.items()}
    Console(width=max(shutil.get_terminal_size().columns, 120)).print(_table(results))
    return not all(figure.holds for figures in results.values() for figure in figures)


async def _clear() -> None:
    """Remove what a run that was killed has left."""
    await podman("rm", "--all", "--force", "--time=0")
    await podman("volume", "prune", "--force")


async def _judged(name: str, judge: Callable[[], Awaitable[list[Figure]]]) -> list[Figure]:
    sys.stderr.write(f"images: {name}\n")
    try:
        return await judge()
    except AssertionError as broken:
        sys.stderr.write(f"images: {name}: {broken}\nimages: see {LOGS}\n")
        return [none("could not be judged", 1)]


def _table(results: dict[str, list[Figure]]) -> Table:
    table = Table("", "", "seen", "at most", "")
    for name, figures in results.items():
        for number, figure in enumerate(figures):
            table.add_row(
                "" if number else name,
                figure.name,
                f"{figure.value:g} {figure.unit}",
                "" if figure.limit is None else f"{figure.limit:g}",
                "ok" if figure.holds else "FAILED",
                style="" if figure.holds else "red",
                end_section=number == len(figures) - 1,
            )
    return table


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
