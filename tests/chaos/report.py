"""What a run has shown: judged, as a table for people and as JSON for programs."""

import csv
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.chaos.judge import Change, Heard, Verdict, commit_order, judge
from tests.chaos.run import Outcome
from tests.chaos.schedule import Kind
from tests.chaos.silence import Injected, complete_after, longest_silences
from tests.chaos.subscribers import Subscriber

_EXAMPLES = 5
_SHARES = (50, 99)


class Silences(NamedTuple):
    """What the faults of one kind cost at the worst, in seconds.

    `anyone`: until any subscriber heard something again. `one`: until the worst subscriber did, of those that lose
    their connection by faults alone. `commits`: the longest time in which nothing was committed, so that there was
    nothing to hear. `complete_after`: from the end of the fault (the process was started again, or went on) until these
    subscribers had heard all that was committed before it; None if one never did.
    """

    faults: int
    longest_stop: float
    anyone: float
    one: float
    commits: float
    complete_after: float | None


class Report:
    """The outcome of a run, judged.

    Args:
        outcome: What the run has seen.
        facts: What describes the run, such as its seed.
    """

    def __init__(self, outcome: Outcome, facts: dict[str, Any]) -> None:
        self._outcome = outcome
        self._facts = {**facts, "load_average": os.getloadavg()}
        places = commit_order(outcome.committed.changes)
        self._verdicts = {client.name: judge(places, client.heard) for client in outcome.subscribers}
        self._missing = outcome.creators.acknowledged - outcome.committed.created()
        self._silences = _silences(outcome)

    @property
    def clean(self) -> bool:
        """Whether the promise was kept."""
        return not any(self._wrong().values())

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for programs."""
        return {
            **self._facts,
            **self._counts(),
            **self._wrong(),
            "clean": self.clean,
            "answers": dict(self._outcome.creators.answers),
            "kinds": {str(kind): silences._asdict() for kind, silences in self._silences.items()},
            "faults": [_fault(injected) for injected in self._outcome.injected],
            "examples": self._examples(),
            "subscribers": {client.name: _subscriber(client) for client in self._outcome.subscribers},
            "checker_troubles": Counter(self._outcome.committed.troubles),
        }

    def write(self, folder: Path) -> None:
        """Write the JSON, and each change with when it was committed, first heard and last heard."""
        (folder / "report.json").write_text(json.dumps(self.as_dict(), indent=2) + "\n")
        heard: dict[Change, list[Heard]] = {}
        for client in self._outcome.subscribers:
            for one in client.heard:
                heard.setdefault(one.change, []).append(one)
        with (folder / "changes.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("seq", *Change._fields, "committed_ms", "first_heard_ms", "last_heard_ms", "times_heard"))
            committed = self._outcome.committed
            for change, at_ms in zip(committed.changes, committed.times_ms, strict=True):
                times = [one.at_ms for one in heard.get(change, [])]
                seqs = {one.seq for one in heard.get(change, [])}
                first_and_last = (min(times), max(times)) if times else ("", "")
                table.writerow((*seqs, *change, at_ms, *first_and_last, len(times)))

    def show(self, console: Console) -> None:
        """Print the tables."""
        console.print(self._faults_table())
        console.print(_facts_table("the run", {**self._facts, **self._counts()}))
        console.print(
            _facts_table("answers to the creating clients", dict(sorted(self._outcome.creators.answers.items())))
        )
        console.print(_facts_table("the verdict: all of these have to be 0", self._wrong()))
        for reason in self._outcome.broken:
            console.print(reason, style="red", markup=False)

    def _counts(self) -> dict[str, Any]:
        heard = [len(client.heard) for client in self._outcome.subscribers]
        return {
            "faults injected": len(self._outcome.injected),
            "changes committed": len(self._outcome.committed.changes),
            "creates acknowledged": len(self._outcome.creators.acknowledged),
            "subscribers": len(heard),
            "heard by each, least": min(heard),
            "heard by each, most": max(heard),
            **{f"heard after its commit, {share} % (ms)": delay for share, delay in self._delays().items()},
            **{f"subscribers on {node}": count for node, count in self._nodes().items()},
            "reconnects": sum(len(client.welcomes) - 1 for client in self._outcome.subscribers),
        }

    def _nodes(self) -> dict[str, int]:
        """Return how many subscribers each emitter greeted first."""
        return dict(sorted(Counter(client.welcomes[0][2] for client in self._outcome.subscribers).items()))

    def _delays(self) -> dict[int, int]:
        """Return how long it took at most until so many of a hundred changes were heard."""
        committed = dict(zip(self._outcome.committed.changes, self._outcome.committed.times_ms, strict=True))
        delays = sorted(
            heard.at_ms - committed[heard.change]
            for client in self._outcome.subscribers
            for heard in client.heard
            if heard.change in committed
        )
        return {share: round(delays[len(delays) * share // 100]) for share in _SHARES if delays}

    def _wrong(self) -> dict[str, int]:
        def total(of: Callable[[Verdict], Sequence[Any]]) -> int:
            return sum(len(of(verdict)) for verdict in self._verdicts.values())

        return {
            "lost": total(lambda verdict: verdict.lost),
            "doubled": total(lambda verdict: verdict.doubled),
            "out of order": total(lambda verdict: verdict.out_of_order),
            "heard but never committed": total(lambda verdict: verdict.unknown),
            "gaps admitted (not recovered, resync)": sum(client.gaps_admitted for client in self._outcome.subscribers),
            "acknowledged creates not committed": len(self._missing),
            "the system was not whole": len(self._outcome.broken),
        }

    def _examples(self) -> dict[str, Any]:
        wrong = {name: verdict for name, verdict in self._verdicts.items() if not verdict.clean}
        return {
            **{
                name: {what: changes[:_EXAMPLES] for what, changes in verdict._asdict().items()}
                for name, verdict in wrong.items()
            },
            "acknowledged creates not committed": sorted(self._missing)[:_EXAMPLES],
            "the system was not whole": self._outcome.broken,
        }

    def _faults_table(self) -> Table:
        table = Table(title="longest silences by kind of fault, in seconds")
        for name in ("kind", *(field.replace("_", " ") for field in Silences._fields)):
            table.add_column(name, justify="left" if name == "kind" else "right")
        for kind, silences in self._silences.items():
            figures = ("never" if figure is None else f"{figure:.2f}" for figure in silences[1:])
            table.add_row(str(kind), str(silences.faults), *figures)
        return table


def _silences(outcome: Outcome) -> dict[Kind, Silences]:
    steady = [client for client in outcome.subscribers if client.steady]
    injected = outcome.injected
    times = [[heard.at_ms for heard in client.heard] for client in outcome.subscribers]
    anyone = longest_silences((at_ms for of_one in times for at_ms in of_one), injected)
    each = [longest_silences((heard.at_ms for heard in client.heard), injected) for client in steady]
    commits = longest_silences(outcome.committed.times_ms, injected)
    arrivals = [_arrivals(client, outcome) for client in steady]
    complete = [complete_after(fault, outcome.committed.times_ms, arrivals) for fault in injected]
    rows: dict[Kind, list[int]] = {}
    for number, fault in enumerate(injected):
        rows.setdefault(fault.fault.kind, []).append(number)
    return {
        kind: Silences(
            faults=len(numbers),
            longest_stop=max(injected[number].fault.stop_s for number in numbers),
            anyone=max(anyone[number] for number in numbers) / 1e3,
            one=max(of_one[number] for of_one in each for number in numbers) / 1e3,
            commits=max(commits[number] for number in numbers) / 1e3,
            complete_after=_seconds_or_none(max(complete[number] for number in numbers)),
        )
        for kind, numbers in sorted(rows.items())
    }


def _seconds_or_none(milliseconds: float) -> float | None:
    return None if math.isinf(milliseconds) else milliseconds / 1e3


def _arrivals(client: Subscriber, outcome: Outcome) -> list[float]:
    at_ms = {heard.change: heard.at_ms for heard in reversed(client.heard)}  # the first time, if it came twice
    return [at_ms.get(change, float("inf")) for change in outcome.committed.changes]


def _fault(injected: Injected) -> dict[str, Any]:
    fault, name, began_ms, ended_ms = injected
    return {
        "kind": str(fault.kind),
        "name": name,
        "at_s": round(fault.at_s, 2),
        "stop_s": round(fault.stop_s, 2),
        "began_ms": began_ms,
        "ended_ms": ended_ms,
    }


def _subscriber(client: Subscriber) -> dict[str, Any]:
    return {
        "heard": len(client.heard),
        "welcomes": client.welcomes,
        "resyncs": client.resyncs,
        "troubles": client.troubles,
    }


def _facts_table(title: str, facts: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, fact in facts.items():
        table.add_row(name, str(fact))
    return table
