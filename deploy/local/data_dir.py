"""The folder that holds everything `storecast up` keeps: data, logs, process ids."""

import os
from pathlib import Path

from shared.errors import StartupError

_FOLDERS = ("run", "log", "gateway")


class DataDir:
    """The paths below one data directory. Nothing secret is ever written there."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.lock = self.root / "lock"
        self.gateway = self.root / "gateway"

    def make(self) -> None:
        """Make the folders that are missing; raise StartupError where they cannot be made."""
        try:
            for folder in _FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(
                f"cannot write to {self.root}: {error.strerror}; name another folder with --data-dir"
            ) from None

    def clear_last_run(self) -> None:
        """Forget the process ids of an `up` that was killed, and keep one generation of logs."""
        for left_over in self.root.glob("run/*"):
            left_over.unlink()
        for log in self.root.glob("log/*.log"):
            log.replace(log.with_suffix(".log.1"))

    def members(self) -> list[str]:
        """Return the names of the MongoDB members whose data are here."""
        return sorted(folder.name for folder in self.root.glob("mongod*/") if any(folder.iterdir()))

    def database(self, name: str) -> Path:
        """Return the folder for the data of the database child `name`, which is made if it is missing."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def port(self, name: str) -> Path:
        """Return where the port of the MongoDB member `name` is remembered."""
        return self.root / f"{name}.port"

    def log(self, name: str) -> Path:
        """Return where the output of the child `name` goes."""
        return self.root / "log" / f"{name}.log"

    def pid(self, name: str) -> Path:
        """Return where the process id of the child `name` stands while it runs."""
        return self.root / "run" / f"{name}.pid"


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content, so that a reader finds the old text or the new, never a part."""
    draft = path.with_suffix(f"{path.suffix}.new")
    draft.write_text(text)
    os.replace(draft, path)  # noqa: PTH105 - named for its guarantee


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, for an error message; empty if there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
