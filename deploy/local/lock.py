"""One `storecast up` at a time on a data directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StartupError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock; raise StartupError that names the process which has it.

    The kernel frees the lock when its holder ends, even by SIGKILL, so there is no stale one. Children do not inherit
    it: Python opens files close-on-exec.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartupError(
                f"{path.parent} is in use by `storecast up` with process id {file.read().strip() or 'unknown'}; "
                "stop it, or name another folder with --data-dir"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
