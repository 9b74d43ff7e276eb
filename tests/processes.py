import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from deploy.local import tether
from deploy.local.child import Program
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
_TAIL_LINES = 40
# What a busy machine adds to the time in which a program ends.
_SLACK_S = 20


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment plus `settings`, without the Storecast settings of whoever runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("STORECAST_")}
    return {**ours, **settings}


class Process:
    """One real process that a test may stop, kill and start again; what it prints is kept."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._started.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it; what it prints is added to the log."""
        assert not self.running, f"{self.program.name} runs already"
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                # A run of the tests that is itself killed leaves nothing behind.
                [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.program.command],
                cwd=ROOT,
                env=environment(self.program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the run alone, which then stops its processes in order
            )

    async def stop(self) -> int:
        """End it by SIGTERM and return its exit code (negative: the signal that ended it)."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it by SIGKILL: it has no chance to say goodbye."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended and return its exit code."""
        popen = self._started
        timeout_s = self.program.stop_seconds + _SLACK_S
        await eventually(
            lambda: popen.poll() is not None, timeout_s=timeout_s, message=f"{self.program.name} ends\n{self.tail()}"
        )
        return int(popen.returncode)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, if it still runs."""
        self._started.send_signal(number)

    def tail(self) -> str:
        """Return the last lines that it printed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:])

    def close(self) -> None:
        """Wait until it has ended; kill it when its time is over."""
        try:
            self._started.wait(self.program.stop_seconds + _SLACK_S)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._started.wait()

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        assert self._popen is not None, f"{self.program.name} was never started"
        return self._popen


class Processes:
    """Processes that belong together; a context manager that leaves none behind.

    Args:
        programs: What to run; `start_what_is_down` starts it.
        directory: Where each one's log goes.
    """

    def __init__(self, programs: Iterable[Program], directory: Path) -> None:
        self._all = {program.name: Process(program, directory / f"{program.name}.log") for program in programs}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        running = [process for process in self._all.values() if process.running]
        for process in running:
            process.send(signal.SIGTERM)
        for process in running:
            process.close()

    def __getitem__(self, name: str) -> Process:
        return self._all[name]

    def start_what_is_down(self) -> None:
        """Start each one that does not run."""
        for process in self._all.values():
            if not process.running:
                process.start()

    def tails(self) -> dict[str, str]:
        """Return what each one printed last."""
        return {name: process.tail() for name, process in self._all.items()}
