"""Builds both services' images as docs/containers.md says, on what stands in for the public ones."""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shared.errors import StartupError
from tests.images import engine, stand_ins
from tests.processes import ROOT

NAMES = ("api", "emitter")
# It names a file of this machine, which no build sees; and all versions are locked there.
_CONSTRAINT = "constraint"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def image(name: str) -> str:
    """Return the name by which docker-compose.yml knows a service's image."""
    return f"localhost/storecast-{name}"


def build() -> None:
    """Build them."""
    with tempfile.NamedTemporaryFile("w", dir=engine.RUN) as settings:
        # Whose packages this machine trusts, and where it gets them from, is mounted and becomes no part of an image.
        settings.write(pip_settings())
        settings.flush()
        for name in NAMES:
            engine.build(
                f"--volume={_CERTIFICATES}:{_CERTIFICATES}:ro",
                f"--volume={settings.name}:/etc/pip.conf:ro",
                *("--layers", "--format=docker", f"--target={name}", "--file=deploy/docker/Dockerfile"),
                *(f"--tag={image(name)}", str(ROOT)),
            )


def pip_settings() -> str:
    """Return the settings of this machine's pip as one file."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return as_file(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def as_file(listed: str) -> str:
    """Return the file for what `pip config list` prints: SECTION.NAME='VALUE', what counts more later."""
    settings = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key != _CONSTRAINT:
            settings[key] = ast.literal_eval(value)
    lines = (f"{name} = {value}".replace("\n", "\n  ") for name, value in settings.items())
    return "\n".join(["[global]", *lines, ""])


def main() -> int:
    """Return the exit code: 1 if a build has failed, 2 if it cannot be tried here."""
    try:
        stand_ins.make()
        build()
    except (pytest.fail.Exception, pytest.skip.Exception, StartupError) as missing:
        sys.stderr.write(f"images: {missing}\n")
        return 2
    except subprocess.CalledProcessError as failed:
        sys.stderr.write(f"images: {failed.cmd[0]} has failed, see above\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
