import asyncio
import json
import sys
from pathlib import Path

import pytest

from deploy.local.gateway import INSTALL_HINT
from tests.chaos.schedule import KINDS, SHORT_S
from tests.processes import ROOT
from tests.tools import require

SEED = 1
RATE = 15  # the services run under coverage here, and other tests beside them


@pytest.mark.timeout(240)
async def test_nothing_is_lost_doubled_or_out_of_order_whatever_dies(tmp_path: Path) -> None:
    """The short form of `make chaos`: every kind of fault once, under load, with fifty stock subscribers."""
    require("nginx", INSTALL_HINT)
    require("node", "install Node.js")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos"),
        *("--seconds", str(SHORT_S), "--rate", str(RATE), "--seed", str(SEED), "--folder", str(tmp_path / "chaos")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()

    assert process.returncode == 0, output.decode()
    report = json.loads((tmp_path / "chaos" / "report.json").read_text())
    assert (report["lost"], report["doubled"], report["out of order"]) == (0, 0, 0)
    assert report["heard by each, least"] == report["heard by each, most"] == report["changes committed"] > 0
    assert report["kinds"].keys() == {str(kind) for kind in KINDS}
