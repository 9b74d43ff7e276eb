"""What the figures were measured on."""

import json
import os
import platform
import resource
import subprocess
from importlib.metadata import version
from pathlib import Path

from deploy.local.mongod import find_mongod
from tests.tools import require

_PACKAGES = Path(__file__).parents[1] / "package.json"
_PYTHON_PARTS = ("uvicorn", "uvloop", "websockets", "python-socketio", "python-engineio", "orjson", "pymongo")
_NODE_PARTS = ("socket.io", "express", "mongodb")


def description() -> dict[str, str]:
    """Return what a reader needs to compare the figures with others."""
    npm = json.loads(_PACKAGES.read_text())["dependencies"]
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": ", ".join([platform.python_version(), *(f"{name} {version(name)}" for name in _PYTHON_PARTS)]),
        "Node.js": ", ".join([_node(), *(f"{name} {npm[name]}" for name in _NODE_PARTS)]),
        "MongoDB": _first_line(find_mongod(), "--version").removeprefix("db version v"),
    }


def require_files(count: int) -> None:
    """Raise RuntimeError where a process may not have so many connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < count:
        raise RuntimeError(f"a process may have {most} open files here, and {count} are needed: raise `ulimit -Hn`")


def busy() -> float:
    """Return how many processes were running of late, on average over a minute."""
    return os.getloadavg()[0]


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _node() -> str:
    return _first_line(require("node", "install Node.js"), "--version").removeprefix("v")


def _first_line(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
