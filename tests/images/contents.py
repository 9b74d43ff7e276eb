"""What is in an image, and what is not."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.images.build import image
from tests.images.engine import podman
from tests.images.stand_ins import PYTHON
from tests.processes import ROOT
from tests.scale.figure import Figure, at_most, none, told

MOST_ADDED_MB = 100
"""What our layers may have above the base."""
USER = 10001

_FOLDERS = {"api": {"shared", "api_service"}, "emitter": {"shared", "ws_service"}}
_TOOLS = ("cc", "gcc", "g++", "c++", "clang", "ld", "as", "make", "pip", "uv", "easy_install", "conda")
_INSTALLERS = ("pip", "setuptools", "ensurepip", "wheel")
_LABELS = ("title", "description", "licenses", "version")


async def judge(name: str) -> list[Figure]:
    """Look at one image without running it."""
    config = await _inspect(image(name))
    base = await _inspect(PYTHON)
    root = Path(await podman("image", "mount", image(name)))
    try:
        return [
            told("size", config["Size"] / 1e6, "MB"),
            at_most("added to the base", (config["Size"] - base["Size"]) / 1e6, MOST_ADDED_MB, "MB"),
            none("labels without a value", _empty_labels(config["Labels"])),
            none("compilers and installers", len(list(installers(root)))),
            none("files that are not the service's", len(list(strange(root / "app", name)))),
            none("files its user cannot read or may change", len(list(unsafe(root)))),
        ]
    finally:
        await podman("image", "unmount", image(name))


def installers(root: Path) -> Iterator[Path]:
    """Yield what could make or install a program."""
    for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "opt/storecast/bin"):
        for file in (root / folder).glob("*"):
            if file.name.rstrip("0123456789.-") in _TOOLS:
                yield file
    for folder in ("usr/lib", "usr/local/lib", "usr/share", "opt"):
        for name in _INSTALLERS:
            yield from (root / folder).rglob(f"{name}-*.whl")
            yield from (path.parent for path in (root / folder).rglob(f"{name}/__init__.py"))


def strange(app: Path, name: str) -> Iterator[Path]:
    """Yield the files in /app that are not the service's own."""
    for file in app.rglob("*"):
        path = file.relative_to(app)
        is_ours = path.parts[0] in _FOLDERS[name] and not path.name.startswith(".") and (ROOT / path).exists()
        if not is_ours and "__pycache__" not in path.parts:
            yield path


def unsafe(root: Path) -> Iterator[Path]:
    """Yield what the service's user cannot read, or could change, of its program."""
    for folder in ("app", "opt/storecast"):
        for file in (root / folder).rglob("*"):
            status = file.lstat()
            if stat.S_ISLNK(status.st_mode):
                continue
            wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else 0)
            if status.st_mode & wanted != wanted or status.st_mode & stat.S_IWOTH or status.st_uid == USER:
                yield file


def _empty_labels(labels: dict[str, str]) -> int:
    return sum(not labels.get(f"org.opencontainers.image.{label}") for label in _LABELS)


async def _inspect(name: str) -> dict[str, Any]:
    [found] = json.loads(await podman("image", "inspect", name))
    return dict(found)
