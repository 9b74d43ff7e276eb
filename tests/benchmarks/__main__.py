"""Storecast beside what it could have been built with: `make bench`."""

import asyncio
import datetime as dt
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated

import pytest
import typer
from rich.console import Console

from tests.benchmarks import (
    capacity,
    cluster,
    connections,
    document,
    fanout,
    idle,
    latency,
    machine,
    report,
    servers,
    system,
)
from tests.benchmarks.figures import Figures
from tests.benchmarks.run import FULL, QUICK, Run

PARTS: Mapping[str, Callable[[Run], Awaitable[None]]] = {
    part.PART: part.measure for part in (fanout, connections, idle, capacity, cluster, system, latency)
}


_BUSY = 0.5  # of a core
_OTHER_FILES = 200  # than those of clients, in one process


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller and shorter: under 90 s.")] = False,
    only: Annotated[str, typer.Option(help=f"Parts, with commas between: {', '.join(PARTS)}.")] = ",".join(PARTS),
    against: Annotated[
        str, typer.Option(help=f"The beginnings of servers' names, with commas between: {', '.join(servers.SERVERS)}.")
    ] = "",
    rounds: Annotated[int | None, typer.Option(min=1, max=100, help="How often each server has its turn.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/benchmarks.md and its picture.")] = False,
) -> None:
    """Measure all servers in turn, several times, and print the figures."""
    parts = only.split(",")
    if unknown := set(parts) - set(PARTS):
        raise typer.BadParameter(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console()
    scale = QUICK if quick else FULL
    if rounds:
        scale = scale._replace(rounds=rounds, system_rounds=rounds)
    names = [name for name in servers.SERVERS if name.lower().startswith(tuple(against.lower().split(",")))]
    start = time.monotonic()

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - start:4.0f} s  {text}", style="dim", markup=False, highlight=False)

    run = Run(names, scale, Figures(), tell)
    if (busy := machine.busy()) > _BUSY:
        run.tell(f"this machine has other things to do (load average {busy:.1f}): times will be too long")
    try:
        machine.require_files(scale.most + _OTHER_FILES)
        asyncio.run(_measure(run, parts))
        report.show(run.figures, console)
        if write:
            command = shlex.join(["python", "-m", "tests.benchmarks", *sys.argv[1:]])
            facts = {
                "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
                **machine.description(),
                "load average before the run": f"{busy:.1f}",
            }
            document.write(run.figures, facts, command, document.DOCS)
    except (AssertionError, RuntimeError, pytest.skip.Exception) as problem:  # the last: a program is missing here
        sys.exit(str(problem))


async def _measure(run: Run, parts: Iterable[str]) -> None:
    for part in parts:
        await PARTS[part](run)


if __name__ == "__main__":
    typer.run(main)
