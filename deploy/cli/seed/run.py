"""`storecast seed`: a catalogue is made and sent, and a person sees how far it is."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.cli.api import Api
from deploy.cli.errors import CommandError
from deploy.cli.seed.seeder import Seeder


class Tally:
    """How many products of how many were made, in which time; drawn as a bar where somebody looks."""

    def __init__(self, count: int, console: Console) -> None:
        self.made = 0
        self._count = count
        self._began = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("products", total=count)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the bar for as long as the context lasts."""
        with self._bar:
            yield

    def add(self, made: int) -> None:
        """Count products that were made."""
        self.made += made
        self._bar.advance(self._task, made)

    def __str__(self) -> str:
        """Say how far it is."""
        seconds = time.monotonic() - self._began
        whole = "" if self.made == self._count else f" of {self._count:,}"
        return f"{self.made:,}{whole} products created in {seconds:.1f} s"


async def seed(origin: str, token: str | None, drafts: Iterable[dict[str, Any]], tally: Tally) -> None:
    """Create the products; raise CommandError, whose last line tells how far it came."""
    with tally.shown():
        try:
            async with Api.at(origin, token) as api:
                await Seeder(api, tally.add).sow(drafts)
        except CommandError as error:
            error.lines = (*error.lines, str(tally))
            raise
