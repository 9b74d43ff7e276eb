"""One supervised process: started, started again whenever it ends, and stopped in the end."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.local import tether
from deploy.local.backoff import delay_seconds, quick_deaths
from deploy.local.data_dir import DataDir, last_line, write_atomically
from deploy.local.settings import inherited_environment
from shared.errors import StartupError

CANNOT_RUN = 2
"""The exit code of a service that cannot run as it is set up: trying again would change nothing."""


@dataclass(frozen=True)
class Program:
    """What to run. `environment` is added to what every child inherits."""

    name: str
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_seconds: float = 10.0


class Child:
    """The process of one program, under the program's name in `run/` and `log/`."""

    def __init__(self, program: Program, data: DataDir, report: Callable[[str], None]) -> None:
        self.program = program
        self.settled = False  # set once the whole system was ready: from then on every death is only an accident
        self._data = data
        self._report = report
        self._process: asyncio.subprocess.Process | None = None
        self._started_at = 0.0

    async def start(self) -> None:
        """Start the process and write its id."""
        with self._data.log(self.program.name).open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                # -I -S: nothing of the user's Python set-up is needed to become another program.
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.program.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=inherited_environment() | dict(self.program.environment),
                start_new_session=True,  # Ctrl-C in the terminal is for `up`, which stops its children in order
            )
        self._started_at = time.monotonic()
        write_atomically(self._data.pid(self.program.name), f"{self._process.pid}\n")

    async def keep_up(self) -> None:
        """Start the process again whenever it ends, after a growing pause; run until cancelled.

        Raises:
            StartupError: the program said, before the system was ready, that it cannot run as it is set up.

        """
        deaths = 0
        while True:
            exit_code = await self._ended()
            if exit_code == CANNOT_RUN and not self.settled:
                raise StartupError(self.failure("cannot start"))
            deaths = quick_deaths(deaths, time.monotonic() - self._started_at)
            delay = delay_seconds(deaths)
            self._report(f"{self.program.name} {_how_it_ended(exit_code)}; started again in {delay:.1f} s")
            await asyncio.sleep(delay)
            await self.start()

    async def stop(self) -> None:
        """Ask the process to end, and make it end when its time is over."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(self.program.stop_seconds):
                    await self._ended()
            except TimeoutError:
                self._report(f"{self.program.name} did not stop within {self.program.stop_seconds:g} s; killed")
                self._process.kill()
                await self._ended()
        self._data.pid(self.program.name).unlink(missing_ok=True)

    def failure(self, problem: str) -> str:
        """Say in one line what is wrong with this child, with the last thing it said itself."""
        log = self._data.log(self.program.name)
        return f"{self.program.name} {problem}: {last_line(log)[:400] or 'it said nothing'} (log: {log})"

    async def _ended(self) -> int:
        assert self._process is not None  # noqa: S101 - only a child that was started is waited for
        exit_code = await self._process.wait()
        self._data.pid(self.program.name).unlink(missing_ok=True)
        return exit_code


def _how_it_ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"
