"""How long `storecast seed` takes for 10,000 products, and a tail to hear them all: `python -m tests.benchmarks.seed`.

The whole system runs beside it as by `storecast up`. Both times are from the start of the command, which is a process
of its own.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console

from deploy.local.gateway import INSTALL_HINT
from tests.e2e.test_cli import Tailing, run
from tests.tools import require
from tests.up import Up
from tests.waiting import eventually

PRODUCTS = 10_000
TARGET_S = 20
PATIENCE_S = 60


class Seeded(NamedTuple):
    """How it went; without a time, not all were heard."""

    seeded_s: float
    heard_s: float | None
    heard: int

    @property
    def is_well(self) -> bool:
        """Whether it was quick, and each product was heard."""
        return self.seeded_s < TARGET_S and self.heard_s is not None

    def __str__(self) -> str:
        """Say it in a line."""
        heard = f"only {self.heard:,} were heard" if self.heard_s is None else f"all heard after {self.heard_s:.1f} s"
        return f"{PRODUCTS:,} products seeded in {self.seeded_s:.1f} s, {heard}"


async def measured() -> Seeded:
    """Seed a system of its own while a tail listens."""
    require("nginx", INSTALL_HINT)
    with tempfile.TemporaryDirectory() as folder:
        async with Up.started(Path(folder) / "data") as up, Tailing.running(up) as tailing:

            def heard() -> int:
                return len({event["payload"]["id"] for event in tailing.events})

            began = time.monotonic()
            seeded = await run(up, "seed", "--count", str(PRODUCTS))
            seeded_s = time.monotonic() - began
            assert seeded.code == 0, seeded.stderr
            try:
                await eventually(lambda: heard() == PRODUCTS, message="all are heard", timeout_s=PATIENCE_S)
            except AssertionError:
                return Seeded(seeded_s, None, heard())
            return Seeded(seeded_s, time.monotonic() - began, PRODUCTS)


def main() -> None:
    """Measure, and print the figures. Exit code 1: it took 20 s or more, or a product was not heard."""
    try:
        seeded = asyncio.run(measured())
    except pytest.skip.Exception as missing:  # `require`: a program is missing here
        sys.exit(str(missing))
    Console().print(str(seeded))
    sys.exit(not seeded.is_well)


if __name__ == "__main__":
    main()
