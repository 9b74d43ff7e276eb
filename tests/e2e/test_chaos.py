import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deploy.local.gateway import INSTALL_HINT
from tests.chaos.schedule import KINDS, SHORT_OF_MANY_S, SHORT_S, Role, kinds
from tests.processes import ROOT
from tests.tools import require

SEED = 1
RATE = 15  # other tests run beside this
MANY = 3


async def chaos(folder: Path, *options: str) -> dict[str, Any]:
    """Run `make chaos` and return its report; nothing was lost, doubled or out of order."""
    require("nginx", INSTALL_HINT)
    require("node", "install Node.js")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos"),
        *("--rate", str(RATE), "--seed", str(SEED), "--folder", str(folder), *options),
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
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert (report["lost"], report["doubled"], report["out of order"]) == (0, 0, 0)
    assert report["heard by each, least"] == report["heard by each, most"] == report["changes committed"] > 0
    return report


async def test_nothing_is_lost_doubled_or_out_of_order_whatever_dies(tmp_path: Path) -> None:
    """The short form of `make chaos`: every kind of fault once, under load, with fifty stock subscribers."""
    report = await chaos(tmp_path / "chaos", "--seconds", str(SHORT_S))
    assert report["kinds"].keys() == {str(kind) for kind in KINDS}


async def test_nothing_is_lost_doubled_or_out_of_order_whichever_emitter_or_redis_dies(tmp_path: Path) -> None:
    """With three emitters, each with subscribers: these are killed, drained and stopped, and their Redis emptied."""
    options = ("--seconds", str(SHORT_OF_MANY_S), "--emitters", str(MANY))
    report = await chaos(tmp_path / "chaos", *options, "--role", Role.EMITTER, "--role", Role.REDIS)
    assert report["kinds"].keys() == {str(kind) for kind in kinds(MANY, {Role.EMITTER, Role.REDIS})}
    assert all(report[f"subscribers on emitter-{number}"] for number in range(1, MANY + 1))
