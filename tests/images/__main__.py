"""Build both images, run them, and judge what is seen: `make test-images`."""

import fcntl
import os
import sys

import pytest

from tests.images import engine, sandbox


def main() -> int:
    """Return the exit code: 1 if anything is not as it has to be, 2 if it cannot be tried here."""
    if os.geteuid() != 0:
        sys.stderr.write("images: be root, who may make containers without an engine\n")
        return 2
    engine.configure()
    with (engine.FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return sandbox.run("tests.images.build") or sandbox.run("tests.images.judge", alone=True)
        except BlockingIOError:
            sys.stderr.write("images: another run is at work\n")
        except (pytest.fail.Exception, pytest.skip.Exception) as missing:
            sys.stderr.write(f"images: {missing}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
