"""What many emitters have to stand, at full size: `make scale`."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import pytest
import typer

from tests.mongod import Mongod
from tests.scale import devices, outage, rolling, sse, third
from tests.scale.cluster import cluster
from tests.scale.figure import Figure, line
from tests.system import System

ARTEFACTS = Path(__file__).parents[1] / "artefacts" / "scale"
_DRAIN_S = 20  # for a thousand clients on each

RUNS: Mapping[str, Callable[[System], Awaitable[list[Figure]]]] = {
    "outage": partial(outage.run, options=outage.Options(), how="stopped"),
    "emptied": partial(outage.run, options=outage.Options(), how="emptied"),
    "rolling": partial(rolling.run, options=rolling.Options()),
    "devices": partial(devices.run, options=devices.Options()),
    "third": partial(third.run, options=third.Options()),
    "sse": partial(sse.run, options=sse.Options()),
}


def main(
    only: Annotated[str, typer.Option(help=f"Runs, with commas between: {', '.join(RUNS)}.")] = ",".join(RUNS),
) -> None:
    """Use three emitters behind HAProxy at full size. Exit code 1: one of the runs did not show what it has to."""
    names = only.split(",")
    if unknown := set(names) - set(RUNS):
        raise typer.BadParameter(f"there is no run {', '.join(unknown)}; there are {', '.join(RUNS)}")
    shutil.rmtree(ARTEFACTS, ignore_errors=True)
    try:
        have_passed = [asyncio.run(_run(name)) for name in names]
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    except asyncio.CancelledError:  # SIGTERM; all that was started has been ended
        sys.exit(128 + signal.SIGTERM)
    sys.exit(not all(have_passed))


async def _run(name: str) -> bool:
    """Run one on a system of its own, print its line, and return whether it has shown what it has to."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    folder = ARTEFACTS / name
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as data:
        try:
            async with (
                Mongod.running(Path(data)) as mongod,
                cluster(folder, mongod.url("storecast"), drain_seconds=_DRAIN_S) as system,
            ):
                figures = await RUNS[name](system)
        except (AssertionError, BaseExceptionGroup) as broken:
            typer.echo(f"{name}: FAILED: {'; '.join(_reasons(broken))}")
            return False
    typer.echo(line(name, figures))
    return all(figure.holds for figure in figures)


def _reasons(broken: BaseException) -> list[str]:
    """Return what the run says did not happen; raise what is no such thing."""
    if isinstance(broken, BaseExceptionGroup):
        return [reason for error in broken.exceptions for reason in _reasons(error)]
    if isinstance(broken, AssertionError):
        return [str(broken)]
    raise broken


if __name__ == "__main__":
    typer.run(main)
