import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from tests.chaos.committed import Committed
from tests.chaos.creators import Creators
from tests.chaos.judge import Change, Heard
from tests.chaos.pace import Pace
from tests.chaos.report import Report
from tests.chaos.run import Outcome
from tests.chaos.schedule import KINDS, Fault
from tests.chaos.silence import Injected
from tests.chaos.subscribers import Subscriber

CHANGES = [Change("new_product", f"product-{number}", 1) for number in range(4)]


@pytest.fixture
def outcome() -> Outcome:
    """A run of three seconds with one fault in the middle, in which two subscribers heard everything."""
    committed = Committed()
    committed.changes = list(CHANGES)
    committed.times_ms = [0.0, 1_000.0, 2_000.0, 3_000.0]
    creators = Creators(cast("Any", None), Pace(1), 0)
    creators.acknowledged = {change.product for change in CHANGES}
    subscribers = [Subscriber(2), Subscriber(4)]
    for subscriber in subscribers:
        subscriber.welcomes = [(0.0, False, "emitter-1"), (1_600.0, True, "emitter-1")]
        subscriber.heard = [
            Heard(seq, change, at_ms + 10)
            for seq, (change, at_ms) in enumerate(zip(CHANGES, committed.times_ms, strict=True), 1)
        ]
    return Outcome(
        committed, creators, subscribers, [Injected(Fault(1, KINDS[0], 0, 0), "emitter-1", 1_100, 1_500)], []
    )


def judged(outcome: Outcome, folder: Path) -> dict[str, Any]:
    """Return the report as it is written, and see that it can be shown."""
    report = Report(outcome, {"seed": 1})
    report.show(Console(file=io.StringIO()))
    report.write(folder)
    written: dict[str, Any] = json.loads((folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert written["clean"] == report.clean
    return written


def test_a_run_in_which_everything_was_heard(outcome: Outcome, tmp_path: Path) -> None:
    """It is clean, and says how long the fault kept everybody waiting."""
    report = judged(outcome, tmp_path)
    assert report["clean"]
    assert (report["heard by each, least"], report["heard by each, most"]) == (4, 4)
    assert report["heard after its commit, 99 % (ms)"] == 10
    [figures] = report["kinds"].values()
    assert figures == {
        "faults": 1,
        "longest_stop": 0,
        "anyone": 1.0,
        "one": 1.0,
        "commits": 1.0,
        "complete_after": 0.0,
    }
    assert (tmp_path / "changes.csv").read_text().splitlines()[1] == "1,new_product,product-0,1,0.0,10.0,10.0,2"


def test_a_subscriber_that_lost_a_change(outcome: Outcome, tmp_path: Path) -> None:
    """It is counted and named, and that it never became complete is said."""
    del outcome.subscribers[1].heard[1]
    report = judged(outcome, tmp_path)
    assert report["lost"] == 1
    assert report["examples"][outcome.subscribers[1].name]["lost"] == [list(CHANGES[1])]
    assert report["kinds"]["kill -9 emitter"]["complete_after"] is None


def test_a_subscriber_that_was_told_to_read_anew(outcome: Outcome, tmp_path: Path) -> None:
    """A welcome that does not go on where it was, or a resync, is no clean run even if nothing else is missing."""
    outcome.subscribers[0].welcomes.append((2_500.0, False, "emitter-1"))
    outcome.subscribers[1].resyncs.append(Heard(9, Change("resync", "", None), 0.0))
    assert judged(outcome, tmp_path)["gaps admitted (not recovered, resync)"] == 2


def test_a_create_that_was_acknowledged_and_is_not_there(outcome: Outcome, tmp_path: Path) -> None:
    """The worst that a database can do is found and named."""
    outcome.creators.acknowledged.add("product-9")
    report = judged(outcome, tmp_path)
    assert report["acknowledged creates not committed"] == 1
    assert report["examples"]["acknowledged creates not committed"] == ["product-9"]


def test_a_system_that_did_not_come_back(outcome: Outcome, tmp_path: Path) -> None:
    """What was heard is judged all the same, and the run is not a clean one; neither is one that heard nothing."""
    outcome.broken.append("there is a leader: not within 30 s")
    report = judged(outcome, tmp_path)
    assert (report["clean"], report["lost"], report["the system was not whole"]) == (False, 0, 1)
    for subscriber in outcome.subscribers:
        subscriber.heard.clear()
    assert judged(outcome, tmp_path)["lost"] == 8
