"""No block of code in the documents is left to nobody."""

import re
from pathlib import Path

import pytest

from tests.documents.elsewhere import ELSEWHERE, is_elsewhere
from tests.documents.markdown import PAGES, blocks, name_of
from tests.documents.reading import LANGUAGES
from tests.documents.session import GOES_ON
from tests.processes import ROOT

NEED_A_FILE = {"html", "yaml"}
READ_BY_THEMSELVES = {".env"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    """Its fence names a language that is run, and the file that it is saved as; and later commands use that file."""
    found = blocks(page)
    for number, block in enumerate(found):
        if is_elsewhere(block):
            continue
        assert block.language in LANGUAGES, f"{block}: name one of {', '.join(LANGUAGES)} after its fence"
        assert block.file or block.language not in NEED_A_FILE, f"{block}: name the file after {block.language}"
        if block.file not in {"", GOES_ON, *READ_BY_THEMSELVES}:
            named = {block.file, str(Path(block.file).parent), Path(block.file).stem} - {"."}
            later = "".join(each.text for each in found[number:] if each.language == "sh")
            used = [name for name in named if re.search(rf"(?<![\w/.]){re.escape(name)}\b", later)]
            assert used, f"{block}: no command uses {block.file}"


def test_an_example_has_something_before_it() -> None:
    """What is shown as output or as an answer follows on what gives it, so that it is held to that."""
    for page in PAGES:
        previous = None
        for block in blocks(page):
            if block.language in {"output", "json"}:
                assert previous in {"sh", "js", "python"}, f"{block}: of which command?"
            previous = block.language


def test_what_is_not_run_here_is_tested_elsewhere() -> None:
    """The table has no row without a block, and each test that it names is there."""
    for each in ELSEWHERE:
        assert [block for block in blocks(ROOT / each.page) if each.has(block)], each
        file, _, function = each.tested.partition("::")
        assert f"def {function}" in (ROOT / file).read_text(), each.tested
