"""What the documents point at is there: links, headings and files."""

import os
import re
from pathlib import Path

import pytest

from tests.documents.markdown import PAGES, anchors, blocks, in_backticks, links, name_of
from tests.processes import ROOT

NOT_OURS = {".git", ".venv", ".storecast", "node_modules", "__pycache__", "artefacts"}
_A_FILE = re.compile(r"[\w.*-]+(/[\w.*-]+)*\.(cfg|conf|css|html|js|json|lock|lua|md|mjs|py|svg|template|toml|ts|ya?ml)")
_A_FOLDER = re.compile(r"[\w.-]+(/[\w.-]+)*/")
MADE = {
    "tests/artefacts/",  # by runs
    "tests/artefacts/page/",
    ".storecast/",
    "package.json",  # of whoever uses ours
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it, where it names one."""
    for target in links(page):
        file, _, anchor = target.partition("#")
        if not re.match(r"\w+:", file):
            linked = page.parent / file if file else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


def files() -> set[str]:
    """Return each file of the repository, and each folder with a slash at its end."""
    found = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        here = Path(folder).relative_to(ROOT)
        found |= {str(here / name) for name in names} | {f"{here / name}/" for name in folders}
    return found


def are_there(name: str, there: set[str]) -> bool:
    """Whether a file has this path, or a path that ends so: pages name files from the folder that they tell of."""
    end = re.compile(rf"(.*/)?{re.escape(name).replace(re.escape('*'), '[^/]*')}")
    return any(end.fullmatch(file) for file in there)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_is_named_is_there(page: Path) -> None:
    """In backticks: the map of the code leads to files that there are."""
    there = files() | {block.file for block in blocks(page)} | MADE
    named = [name for name in in_backticks(page) if _A_FILE.fullmatch(name) or _A_FOLDER.fullmatch(name)]
    assert [name for name in named if not are_there(name, there)] == []
