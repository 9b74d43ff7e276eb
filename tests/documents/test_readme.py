"""What the README says of others' pages."""

import re

from tests.processes import ROOT


def test_its_figures_are_those_of_the_benchmarks() -> None:
    """Each stands in docs/benchmarks.md, with the date of the run: none is older than the last one."""
    readme, benchmarks = ((ROOT / name).read_text() for name in ("README.md", "docs/benchmarks.md"))
    section = readme.partition("## How fast\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \w.* \| ([\d.]+).* \| ([\d.]+).* \| ([\d.]+) \|$", section, re.MULTILINE)
    assert len(rows) == 6
    for row in rows:
        shown = r" (?:\([^)]*\) )?\| .*".join(map(re.escape, row))
        assert re.search(rf"(?m)^\|.*\| {shown} ", benchmarks), row
    assert re.findall(r"\d{4}-\d\d-\d\d", section) == re.findall(r"^\| date \| (\S+) \|$", benchmarks, re.MULTILINE)
