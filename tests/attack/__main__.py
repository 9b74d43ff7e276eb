"""Attack the running system beside honest clients: `make attack`."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.attack.attacks import ATTACKS
from tests.attack.places import PLACES, Place, url_of
from tests.attack.run import SETTINGS, Options, run
from tests.mongod import Mongod
from tests.scale.figure import line
from tests.system import System

ARTEFACTS = Path(__file__).parents[1] / "artefacts" / "attack"


def main(
    seconds: Annotated[float, typer.Option(min=2, max=600, help="How long each attack lasts.")] = 30,
    only: Annotated[str, typer.Option(help=f"Attacks, with commas between: {', '.join(ATTACKS)}.")] = ",".join(ATTACKS),
) -> None:
    """Exit code 1: the honest have suffered, or the memory has not held."""
    names = only.split(",")
    if unknown := set(names) - set(ATTACKS):
        raise typer.BadParameter(f"there is no attack {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    shutil.rmtree(ARTEFACTS, ignore_errors=True)
    have_passed = [asyncio.run(_attack(name, place, seconds)) for name in names for place in PLACES[name]]
    sys.exit(not all(have_passed))


async def _attack(name: str, place: Place, seconds: float) -> bool:
    folder = ARTEFACTS / f"{name}-{place}".replace(" ", "-")
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as data:
        async with (
            Mongod.running(Path(data)) as mongod,
            System.running(folder, mongod.url("storecast"), replicas=2, **SETTINGS) as system,
        ):
            figures = await run(system, Options(name, url_of(system, place), seconds))
    typer.echo(line(f"{name}, {place}", figures))
    return all(figure.holds for figure in figures)


if __name__ == "__main__":
    typer.run(main)
