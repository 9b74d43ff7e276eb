"""buildah and podman, with images, containers and settings of their own."""

import asyncio
import os
import resource
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import NamedTuple

from tests.images import docker_dns
from tests.processes import ROOT, environment
from tests.tools import require

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "storecast" / "images"
"""What is kept between runs; not in the project, where checkers would read the Python that is in an image."""
FIX = "run `make test-images`, which installs what it needs"

LOGS = ROOT / "tests" / "artefacts" / "images"
"""What the containers printed last."""
_STORE = FOLDER / "store"
RUN = FOLDER / "run"
"""What is of no use after a run."""
_NETWORKS = RUN / "networks"
_HOOKS = FOLDER / "hooks"
_SETTINGS = FOLDER / "containers.conf"


class Failed(AssertionError):
    """A command did not do what it was asked for."""


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    exit_code: int
    output: str
    errors: str


def configure() -> None:
    """Write the settings."""
    for folder in (_STORE, RUN, _HOOKS, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    (_HOOKS / "docker-dns.json").write_text(docker_dns.HOOK)
    _SETTINGS.write_text(
        f"""
        [containers]
        default_ulimits = [{_limits()}]
        [engine]
        runtime = "runc"  # crun refuses a machine with both versions of cgroups
        cgroup_manager = "cgroupfs"
        events_logger = "file"
        hooks_dir = ["{_HOOKS}"]
        [network]
        network_backend = "netavark"
        network_config_dir = "{_NETWORKS}"
        """
    )


def build(*arguments: str) -> None:
    """Build an image with buildah; what it says is shown."""
    subprocess.run(
        # In a mere chroot, because a build has to reach the registries as this machine does.
        [*_command("buildah"), "build", "--isolation=chroot", "--network=host", "--pull=never", *arguments],
        env=_environment(),
        check=True,
        stdout=sys.stderr,
    )


def has(image: str) -> bool:
    """Whether an image is there."""
    return (
        subprocess.run([*_command("podman"), "image", "exists", image], env=_environment(), check=False).returncode == 0
    )


def import_root(root: Path, name: str) -> None:
    """Make an image of a root file system."""
    with subprocess.Popen(["tar", "--directory", root, "--create", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            [*_command("podman"), "import", "--quiet", "-", name],
            env=_environment(),
            stdin=tar.stdout,
            stdout=sys.stderr,
            check=True,
        )


async def podman(*arguments: str) -> str:
    """Run podman and return what it prints; raise Failed with what it says."""
    ended = await attempt(*arguments)
    if ended.exit_code:
        raise Failed(f"podman {' '.join(arguments)}: {ended.errors}")
    return ended.output.strip()


async def attempt(*arguments: str) -> Ended:
    """Run podman, whatever comes of it."""
    process = await asyncio.create_subprocess_exec(
        *_command("podman"), *arguments, env=_environment(), stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())


async def serve(socket: Path) -> asyncio.subprocess.Process:
    """Start podman's imitation of Docker's API."""
    with (LOGS / "podman.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(*_command("podman"), "system", "service", "--time=0", f"unix://{socket}"), env=_environment(), stderr=log
        )


def _command(program: str) -> list[str]:
    # All paths are the same in a build and in a run: podman remembers them and refuses others.
    return [require(program, FIX), f"--root={_STORE}", f"--runroot={RUN / 'state'}", "--storage-driver=overlay"]


def _environment() -> dict[str, str]:
    return environment({"CONTAINERS_CONF": str(_SETTINGS)})


def _limits() -> str:
    """Return no higher ones than this process has: raising them, as the defaults would, may not be allowed here."""
    wanted = {"nofile": (resource.RLIMIT_NOFILE, 65_536), "nproc": (resource.RLIMIT_NPROC, 32_768)}
    limits = {name: min(resource.getrlimit(limit)[1], most) for name, (limit, most) in wanted.items()}
    return ", ".join(f'"{name}={limit}:{limit}"' for name, limit in limits.items())
