import json
import subprocess
from pathlib import Path

import pytest

from tests.tools import require

CASES = {
    "nothing": ([], {"last": 7, "lost": 0, "doubled": 0, "out_of_order": 0}),
    "each once and in order": ([8, 9, 10], {"last": 10, "lost": 0, "doubled": 0, "out_of_order": 0}),
    "the first is lost": ([9, 10], {"last": 10, "lost": 1, "doubled": 0, "out_of_order": 0}),
    "two are lost": ([8, 11], {"last": 11, "lost": 2, "doubled": 0, "out_of_order": 0}),
    "what was before the beginning": ([7, 8], {"last": 8, "lost": 0, "doubled": 1, "out_of_order": 0}),
    "twice at once and later": ([8, 8, 9, 8], {"last": 9, "lost": 0, "doubled": 2, "out_of_order": 0}),
    "late": ([9, 8, 10], {"last": 10, "lost": 0, "doubled": 0, "out_of_order": 1}),
    "late and twice": ([9, 8, 8], {"last": 9, "lost": 0, "doubled": 1, "out_of_order": 1}),
}


@pytest.mark.parametrize(("heard", "verdict"), CASES.values(), ids=CASES)
def test_what_was_heard_is_judged(heard: list[int], verdict: dict[str, int]) -> None:
    """A number that is lost, doubled or out of order is found, wherever it was; a late one is no lost one."""
    program = (
        'import { Hearing, judge } from "./hearing.mjs";'
        "const hearing = new Hearing();"
        "hearing.begin(7);"
        "hearing.begin(1);"  # a later welcome changes nothing
        f"{json.dumps(heard)}.forEach((seq) => hearing.hear(seq));"
        "console.log(JSON.stringify(judge([hearing])));"
    )
    node = [require("node", "install Node.js"), "--input-type=module", "--eval", program]
    said = subprocess.run(node, cwd=Path(__file__).parent, check=True, capture_output=True)
    assert json.loads(said.stdout) == verdict
