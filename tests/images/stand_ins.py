"""Images that stand in for the public ones, made of Debian's packages once and kept until their recipe changes."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local.mongod import find_mongod
from tests.images import engine
from tests.tools import missing, require

RECIPE = Path(__file__).parent / "stand_ins"
PYTHON = "docker.io/library/python:3.11-slim-bookworm"
TARGETS = {
    "python": PYTHON,
    "mongo": "docker.io/library/mongo:7",
    "redis": "docker.io/library/redis:7-alpine",
    "haproxy": "docker.io/library/haproxy:2.6-alpine",
    "nginx": "docker.io/library/nginx:1.30-alpine",
}
"""What is made of each target of the recipe: the names that the Dockerfile and the compose files use."""

_MADE = engine.FOLDER / "stand-ins"
_MONGOSH = "mongosh@2.12.0"


def make() -> None:
    """Make them if they are not there as the recipe has them."""
    recipe = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(RECIPE.iterdir()))).hexdigest()
    if _MADE.exists() and _MADE.read_text() == recipe:
        return
    mongod, node = find_mongod(), Path(require("node", "install Node.js")).resolve()
    for suite in ("bookworm", "forky"):
        if not engine.has(_debian(suite)):
            _make_debian(suite)
    with tempfile.TemporaryDirectory(dir=engine.RUN) as mongosh:
        npm = [require("npm", "install npm"), "install", "--ignore-scripts", "--no-fund", "--no-audit", "--silent"]
        subprocess.run([*npm, "--prefix", mongosh, _MONGOSH], check=True)
        contexts = {"mongod": mongod.parent, "node": node.parent, "mongosh": mongosh}
        for target, image in TARGETS.items():
            engine.build(
                *(f"--build-context={name}={folder}" for name, folder in contexts.items()),
                *("--layers", "--format=docker", f"--target={target}", f"--tag={image}", str(RECIPE)),
            )
    _MADE.write_text(recipe)


def _debian(suite: str) -> str:
    return f"localhost/debian-{suite}"


def _make_debian(suite: str) -> None:
    with tempfile.TemporaryDirectory(dir=engine.RUN) as folder:
        root = Path(folder)
        debootstrap = [require("debootstrap", engine.FIX), "--variant=minbase", suite, str(root), _mirror()]
        # Releases later than this debootstrap are unpacked like the newest that it knows.
        subprocess.run([*debootstrap, "/usr/share/debootstrap/scripts/sid"], check=True, stdout=sys.stderr)
        for leftovers in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / leftovers)
            (root / leftovers / "partial").mkdir(parents=True)
        engine.import_root(root, _debian(suite))


def _mirror() -> str:
    """Return the one that apt uses."""
    targets = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Component: main"]
    sites = subprocess.run(targets, check=True, capture_output=True, text=True).stdout.split()
    return next((site for site in sites if "security" not in site), None) or missing("apt knows no mirror of Debian's")
