"""Break a whole Storecast at random and see that nothing is lost: `make chaos`."""

import asyncio
import secrets
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.gateway import INSTALL_HINT
from tests.chaos import run
from tests.chaos.report import Report
from tests.chaos.schedule import Role
from tests.tools import require

ARTEFACTS = Path(__file__).parents[1] / "artefacts" / "chaos"
_SEEDS = 1_000_000


def main(  # noqa: PLR0913, PLR0917 - each is an option of the command line, given by name
    seconds: Annotated[int, typer.Option(min=20, max=3_600, help="How long the system is used and broken.")] = 300,
    rate: Annotated[
        float, typer.Option(min=1, max=1_000, help="How many changes a second, all clients together.")
    ] = 40,
    seed: Annotated[int | None, typer.Option(help="Which schedule of faults; without it a new one.")] = None,
    emitters: Annotated[int, typer.Option(min=1, max=20, help="How many emitters; several share a Redis.")] = 1,
    role: Annotated[list[Role] | None, typer.Option(help="Which processes are broken; without it all.")] = None,
    folder: Annotated[Path, typer.Option(file_okay=False, help="Where data, logs and the report go.")] = ARTEFACTS,
) -> None:
    """Break a whole Storecast at random. Exit code 1: something was lost, doubled or out of order."""
    try:
        require("nginx", INSTALL_HINT)
        require("node", "install Node.js")
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    if folder == ARTEFACTS:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty; name a new one with --folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        sys.exit(asyncio.run(_run(Console(), folder, run.Options(seconds, rate, seed, emitters, role or ()))))
    except asyncio.CancelledError:  # SIGTERM; all that was started has been ended
        sys.exit(128 + signal.SIGTERM)


async def _run(console: Console, folder: Path, options: run.Options) -> int:
    _stop_at_sigterm()
    console.print(f"seed {options.seed}, {options.seconds} s, logs in {folder / 'log'}")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[counts]}"))
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("starting", total=options.seconds, counts="")

            def tell(progress: run.Progress) -> None:
                counts = f"{progress.faults} faults, {progress.committed} changes"
                bar.update(task, completed=progress.elapsed_s, description=progress.doing, counts=counts)

            outcome = await run.run(folder, options, tell)
    except (AssertionError, BaseExceptionGroup) as broken:
        console.print(f"the run could not go on: {'; '.join(_reasons(broken))}", style="red", markup=False)
        return 1
    finally:
        _remove_data(folder)
    report = Report(outcome, options._asdict())
    report.show(console)
    report.write(folder)
    console.print(f"report: {folder / 'report.json'}")
    return 0 if report.clean else 1


def _reasons(broken: BaseException) -> list[str]:
    """Return what the run says did not happen; raise what is no such thing."""
    if isinstance(broken, BaseExceptionGroup):
        return [reason for error in broken.exceptions for reason in _reasons(error)]
    if isinstance(broken, AssertionError):
        return [str(broken)]
    raise broken


def _stop_at_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _remove_data(folder: Path) -> None:
    # A gigabyte; the logs and the report are what is of use.
    for data in folder.glob("mongod-*/"):
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    typer.run(main)
