"""The figures as a page of the documentation."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.benchmarks import plot, report
from tests.benchmarks.figures import Figures

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE = "benchmarks.md", "benchmarks.svg"

_HEAD = f"""\
# Benchmarks

Storecast's emitter beside what it could have been built with, and the whole of Storecast beside the obvious design in
Node. This page is written by the benchmark itself.

![The most telling figures]({PICTURE})

"""

_METHOD = """
## How it is measured

- The emitters: `Storecast` is `python -m ws_service` with its defaults (history, topics, limits and the emitter secret
  are on). `Node Socket.IO` is the npm server behind the same HTTP calls. `python-socketio` is the stock library on
  uvicorn, with uvloop, the faster websocket implementation, and no compression. `bare write()` is a loop of `write()`
  of one ready frame, with nothing else round it: the limit.
- Each server is one process, pinned to one core; the load generator is one process on another core. It posts, and it is
  every client: raw sockets that count what they hear. How much of its core it has used stands in each table. Where that
  is near 100 % (the bare loop, large bursts) it is the load generator that holds the times and rates back; the
  CPU for each delivery is the server's own in any case.
- Every server gets the same POSTs: events by `POST /events` (one, 10 or 100 in a body; the peers emit them in a loop),
  messages by `POST /emit`. The payload has 300 bytes. The next is posted when every client has heard the one before,
  and each client must have heard each exactly once, or the run fails. Nothing waits in order to make batches.
- CPU is the kernel's account of the process, user and system, all threads. The time to the last client runs from just
  before the POST is sent. p99 is that of one round. Memory is the resident memory at so many connections less that
  before, each after a pause, in a process that was warmed up.
- `Clustered Storecast` is the same emitter as one of many, with a Redis (7, without persistence) of its own on the load
  generator's core. The CPU is the emitter's; Redis' stands below.
- The whole system: MongoDB (one member), three API processes that are called directly, one emitter; not pinned. A
  create runs from when it was due to be sent until a subscriber has its event. Half of the most is each design's own.
  The Node design inserts (`w: majority`), posts to its emitter, then answers: an event is lost where a process dies
  in between. Storecast's is not; that is what its log, relay and numbers cost.
- The servers take turns, in rounds. A cell is the median of the rounds (least..most). A ratio is taken within each
  round, so that what else the machine does falls on both; below 1 is less of what is measured.
"""


def write(figures: Figures, machine: Mapping[str, str], command: str, folder: Path) -> None:
    """Write the page and its picture into a folder."""
    facts = {**machine, "command": f"`{command}`"}
    tables = "".join(f"\n## {title}\n\n{_table(*report.grid(figures, title))}" for title in figures.tables())
    (folder / PAGE).write_text(f"{_HEAD}{_table(['', ''], map(list, facts.items()))}{tables}{_METHOD}")
    (folder / PICTURE).write_text(plot.svg(figures))


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
