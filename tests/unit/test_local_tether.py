import asyncio
import os
import resource
import sys
from pathlib import Path

from deploy.local import tether
from tests.waiting import eventually

TETHERED = (sys.executable, "-I", "-S", tether.__file__)


def gone(pid: int) -> bool:
    """Return whether a process has ended; one that nobody has asked for its exit code yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_a_program_ends_with_its_parent_however_that_ends() -> None:
    """SIGKILL leaves the parent no chance to stop its children; the kernel does it."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([*sys.argv[1:5], str(os.getpid()), 'sleep', '60'])\n"
        "print(child.pid, flush=True); child.wait()",
        *TETHERED,
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    await eventually(
        lambda: Path(f"/proc/{child}/cmdline").read_text().startswith("sleep"), message="the program took over"
    )
    parent.kill()
    await parent.wait()
    await eventually(lambda: gone(child), message="the program ended")


async def test_a_parent_that_is_gone_already_is_noticed() -> None:
    """Between the fork and the request to the kernel the parent may end: then nothing is run."""
    process = await asyncio.create_subprocess_exec(*TETHERED, str(os.getpid() + 1), "echo", "ran", stdout=-1)
    output, _ = await process.communicate()
    assert (process.returncode, output) == (1, b"")


async def test_a_program_may_open_many_files() -> None:
    """The soft limit is raised as far as the hard one allows, since every client is a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", f'ulimit -S -n 256; exec {" ".join(TETHERED)} {os.getpid()} sh -c "ulimit -S -n"', stdout=-1
    )
    output, _ = await process.communicate()
    assert int(output) == min(hard, 65_536)
