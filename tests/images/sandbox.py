"""A place of its own for containers: processes, mounts and a network that end with it, whatever becomes of it."""

import os
import signal
import subprocess
import sys

from deploy.local import tether
from tests.images import engine
from tests.processes import ROOT
from tests.tools import require

_ENTER = f"mount -t tmpfs tmpfs '{engine.RUN}'"
# What podman keeps of running containers is not mixed with this machine's own.
_ENTER_ALONE = "ip link set lo up; mount -t tmpfs tmpfs /run; mkdir /run/lock /run/netns"


def run(module: str, *, alone: bool = False) -> int:
    """Run a module there and return its exit code; `alone` is without a network but its own."""
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    enter = [_ENTER, 'exec "$@"']
    if alone:
        namespaces.append("--net")
        enter.insert(1, _ENTER_ALONE)
    inside = ["sh", "-euc", "\n".join(enter), "sh", require("catatonit", engine.FIX), "--"]
    child = subprocess.Popen(
        # catatonit, because containers leave processes to the first one that it has to wait for.
        [
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
            *(*namespaces, *inside, sys.executable, "-m", module),
        ],
        cwd=ROOT,
    )
    # unshare itself hears no SIGTERM; without it the kernel ends all that is inside.
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.kill()
        return 128 + signal.SIGINT
    return code if code >= 0 else 128 - code
