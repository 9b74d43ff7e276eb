"""Have clients come and go for a long time, and see that the emitter's memory stays where it is: `make soak`."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.soak.soak import MOST_GROWTH, Options, Sample, Soaked, soak

_MINUTE_S = 60
_WARM_UP_S = 60
_WARM_UP_SHARE = 0.5
_ROWS = 10
_MB = 1e6


def main(
    minutes: Annotated[float, typer.Option(min=0.1, max=24 * 60, help="How long, without the warm-up.")] = 30,
    clients: Annotated[int, typer.Option(min=1, max=2_000, help="How many at the same time.")] = 300,
) -> None:
    """Use an emitter for a long time. Exit code 1: its memory has grown by more than 5 %."""
    seconds = minutes * _MINUTE_S
    options = Options(seconds, warm_up_s=min(_WARM_UP_S, seconds * _WARM_UP_SHARE), clients=clients)
    console = Console()
    with Progress(console=console) as bar:
        task = bar.add_task("warming up", total=seconds)

        def tell(sample: Sample) -> None:
            bar.update(task, completed=sample.at_s, description=f"{sample.memory_bytes / _MB:.1f} MB")

        try:
            soaked = asyncio.run(soak(options, tell))
        except BaseExceptionGroup as broken:
            sys.exit(f"the run could not go on: {broken.exceptions[0]!r}")
    show(soaked, console)
    sys.exit(soaked.growth > MOST_GROWTH)


def show(soaked: Soaked, console: Console) -> None:
    """Print how the memory went."""
    growth = f"growth {soaked.growth:+.1%}, at most {MOST_GROWTH:.0%}"
    table = Table(title=f"{soaked.visits:,} visits, {soaked.events_heard:,} events heard; {growth}")
    for head in ("minute", "memory, MB"):
        table.add_column(head, justify="right")
    for sample in soaked.samples[:: max(1, len(soaked.samples) // _ROWS)]:
        table.add_row(f"{sample.at_s / _MINUTE_S:.1f}", f"{sample.memory_bytes / _MB:.1f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
