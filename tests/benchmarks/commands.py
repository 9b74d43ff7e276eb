"""How a process of the load is told what to do: JSON lines on standard input, each answered by one line."""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks.clients import Clients, Lost

Command = Callable[..., dict[str, Any]]


def serve(clients: Clients, commands: Mapping[str, Command]) -> None:
    """Do what is asked until there is nobody to ask; clients answer pings in the meantime, too."""
    gc.disable()  # nothing here is made in a circle
    lines: list[str] = []
    clients.watch(sys.stdin.fileno(), lambda: lines.append(sys.stdin.readline()))
    try:
        while command := _next(lines, clients):
            cpu_s = time.process_time()
            answer = commands[command.pop("do")](**command)
            _say({**answer, "cpu_s": time.process_time() - cpu_s})
    except (Lost, OSError) as error:
        _say({"error": str(error)})


def _next(lines: list[str], clients: Clients) -> dict[str, Any]:
    while not lines:
        clients.pump(1)
    return dict(json.loads(lines.pop() or "{}"))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
