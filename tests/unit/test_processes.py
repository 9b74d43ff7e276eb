import signal
from pathlib import Path

import pytest

from deploy.local.child import Program
from tests import processes
from tests.waiting import eventually


def stubborn(ready: Path) -> Program:
    """Describe a process that SIGTERM does not end."""
    script = "trap 'echo no' TERM; touch \"$0\"; while :; do sleep 0.05; done"
    return Program("stubborn", "", ("sh", "-c", script, str(ready)), stop_seconds=0.3)


async def test_what_does_not_stop_is_killed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests leave no process behind, not even one that ignores SIGTERM; what it said is kept."""
    monkeypatch.setattr(processes, "_SLACK_S", 0.2)
    with processes.Processes([stubborn(tmp_path / "ready")], tmp_path) as running:
        running.start_what_is_down()
        process = running["stubborn"]
        await eventually((tmp_path / "ready").exists, message="the trap is set")

    assert not process.running
    assert await process.ended() == -signal.SIGKILL
    assert running.tails() == {"stubborn": "no"}
