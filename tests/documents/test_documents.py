"""Every block of code in the documents is run as it stands there, but for addresses; or stands in a table."""

import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.gateway import INSTALL_HINT
from tests.documents.elsewhere import is_elsewhere
from tests.documents.judging import problems
from tests.documents.markdown import PAGES, Block, blocks, name_of
from tests.documents.reading import read
from tests.documents.session import Place, Session
from tests.documents.stand_in import SECRET
from tests.tools import require
from tests.up import SECRET as EMITTER_SECRET
from tests.up import Up

SECRETS = {"STORECAST_EMITTER_SECRET": EMITTER_SECRET, "STORECAST_JWT_SECRET": SECRET}
TUTORIALS = "docs/tutorials/"
BY_HAND = f"{TUTORIALS}several-servers.md"
"""The page that begins with nothing but a MongoDB."""
PRODUCT_ID = "66f0c2d1a5b4e3f201234567"
"""Stands in documents for a product's id."""


def run_here(page: Path) -> list[Block]:
    """Return the blocks of a page that are run."""
    return [block for block in blocks(page) if not is_elsewhere(block) and block.language != "text"]


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """One system for all pages, which knows the secret that stands in for every other."""
    require("nginx", INSTALL_HINT)
    folder = tmp_path_factory.mktemp("up") / "data"
    async with Up.started(folder, "--replicas", "2", STORECAST_LOG_FORMAT="json", **SECRETS) as up:
        yield up


@pytest.fixture(scope="module")
async def place(up: Up) -> Place:
    """Where pages find it."""
    addresses = dict(re.findall(r"(?m)^ +(\S+) +\S*?(127\.0\.0\.1:\d+)", "".join(up.shown)))
    product = (await up.create("Moka pot")).json()
    here = {
        "127.0.0.1:8080": addresses["page"],
        "127.0.0.1:9000": addresses["emitter-1"],
        "127.0.0.1:27017": addresses["MongoDB"],
        PRODUCT_ID: product["id"],
        "logs/*": f"{up.folder / 'log'}/*.log",
    }
    stand_in = {"STAND_IN_ADDRESS": addresses["page"], "STAND_IN_SHOWN": "".join(up.shown)}
    return Place(here, {"STORECAST_URL": up.origin, **stand_in})


@pytest.mark.parametrize("page", [page for page in PAGES if run_here(page)], ids=name_of)
async def test_what_a_page_shows_works(page: Path, up: Up, place: Place, tmp_path: Path) -> None:
    """From its first command to its last: none fails, each prints what is shown, each program hears what is made."""
    name = name_of(page)
    # A tutorial begins with nothing.
    given = {} if name.startswith(TUTORIALS) else SECRETS
    here = {there: here for there, here in place.here.items() if name != BY_HAND or "27017" in there}
    async with Session.of(blocks(page), tmp_path, Place(here, {**place.variables, **given})) as session:
        await read(session, up, run_here(page))
        assert problems(session.record) == []


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page) if is_elsewhere(block)], ids=str)
def test_what_is_not_run_is_read(block: Block) -> None:
    """By bash, or by Node.js: a quote that is missing is found without running anything."""
    readers = {"sh": ["bash", "-n"], "js": ["node", "--check", "--input-type=module", "-"]}
    if reader := readers.get(block.language):
        program = require(reader[0], "install Node.js")
        done = subprocess.run([program, *reader[1:]], input=block.text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
