"""Programs of this machine or of a Python package: found, and checked before they are started."""

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from shared.errors import StartupError

_SYSTEM = "/usr/local/sbin:/usr/sbin"


def find_program(name: str, also_in: str = _SYSTEM) -> str | None:
    """Return a program of this machine, also where the user's PATH leaves out the system's programs."""
    return shutil.which(name) or shutil.which(name, path=also_in)


class Server(NamedTuple):
    """A server that a Python package carries, too.

    `file` is its place in the package, as a glob pattern; `version` finds its version in what it says, the numbers in
    groups; `oldest` are those that are needed; `fix` is what to do where there is none, `repair` where it is broken.
    """

    name: str
    file: str
    version: re.Pattern[str]
    oldest: tuple[int, ...]
    fix: str
    repair: str

    def find(self, wheel: str) -> Path:
        """Return the one on PATH, else the one in the wheel; raise StartupError where there is none that will do."""
        on_path = shutil.which(self.name)
        program = Path(on_path) if on_path is not None else self._in_wheel(wheel)
        if program is None:
            raise StartupError(f"there is no {self.name} on PATH; {self.fix}")
        self._check(program)
        return program

    def _in_wheel(self, wheel: str) -> Path | None:
        # Looked up by the package's own list of files: importing it could run whatever else shares its namespace.
        try:
            folder = Path(str(distribution(wheel).locate_file("")))
        except PackageNotFoundError:
            return None
        return next(folder.glob(self.file), None)

    def _check(self, program: Path) -> None:
        # It is run for its version, because that also shows a system library that it lacks.
        try:
            result = subprocess.run(  # noqa: S603 - the path is a server that was found, the argument is fixed
                [program, "--version"], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StartupError(f"{program} does not run ({error}); {self.fix}") from None
        found = self.version.search(result.stdout)
        if found is None:
            said = (result.stderr or result.stdout).strip().partition("\n")[0]
            raise StartupError(f"{program} does not run: {said}; {self.repair}")
        if tuple(map(int, found.groups())) < self.oldest:
            raise StartupError(f"{program} is too old ({found[0]}); {self.fix}")
