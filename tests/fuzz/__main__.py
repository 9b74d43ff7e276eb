"""Send both services all that their OpenAPI documents allow, and what they do not: `make fuzz`."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.fuzz.fuzz import SETTINGS, fuzz, targets
from tests.mongod import Mongod
from tests.system import System

_EXAMPLES = 150


def main(
    cases: Annotated[int, typer.Option(min=1, help="At least so many for each service.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the first round; the others count on from it.")] = 1,
) -> None:
    """Exit code 1: a service has failed, or has not kept to its document."""
    sys.exit(not asyncio.run(_fuzz(cases, seed)))


async def _fuzz(cases: int, seed: int) -> bool:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for part in ("mongod", "system"):
            (directory / part).mkdir()
        async with (
            Mongod.running(directory / "mongod") as mongod,
            System.running(directory / "system", mongod.url("fuzz"), replicas=1, **SETTINGS) as system,
        ):
            for target in targets(system):
                sent = 0
                async for done in fuzz(target, cases, _EXAMPLES, seed, directory):
                    sent += done.cases
                    if not done.ok:
                        typer.echo(done.said)
                        return False
                    typer.echo(f"{target.name}: {sent:,} cases, and nothing was found")
    return True


if __name__ == "__main__":
    typer.run(main)
