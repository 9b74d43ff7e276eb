"""The load generator's process: it posts, and it is every client that listens. `load.py` starts it."""

import os
import time
from typing import Any

from shared.emitter_api import EVENTS_PATH
from tests.benchmarks import commands, workload
from tests.benchmarks.calls import Caller, request
from tests.benchmarks.clients import Clients, Lost
from tests.benchmarks.commands import Command
from tests.benchmarks.workload import Workload

_HEARD_WITHIN_S = 120


class Generator:
    """The clients of one server and the one who posts to it."""

    def __init__(self, port: int, path: str, secret: str) -> None:
        self._secret = secret
        self._clients = Clients(port, path)
        self._caller = Caller(port, self._clients)
        self._seq = 0

    def run(self) -> None:
        """Do what is asked until there is nobody to ask."""
        does: dict[str, Command] = {
            "open": self._open,
            "connect": self._connect,
            "broadcast": self._broadcast,
            "idle": self._idle,
            "drop": self._drop,
        }
        commands.serve(self._clients, does)

    def _open(self) -> dict[str, Any]:
        self._post(EVENTS_PATH, workload.opening(), deliveries=0)
        return {}

    def _connect(self, count: int, timeout_s: float) -> dict[str, Any]:
        return self._clients.connect(count, timeout_s)._asdict()

    def _broadcast(self, name: str, least: int, seconds: float) -> dict[str, Any]:
        what, clients = workload.WORKLOADS[name], self._clients
        last_s: list[float] = []
        working_s = 0.0
        clients.count_anew()
        while len(last_s) < least or working_s < seconds:
            body = self._next_body(what)
            start = time.perf_counter()
            self._post(what.path, body, deliveries=what.events * len(clients))
            last_s.append(clients.last_heard - start)
            working_s += time.perf_counter() - start
        if not clients.each_heard(what.events * len(last_s)):
            raise Lost("a client did not hear each event once")
        return {"last_s": last_s, "seconds": working_s, "deliveries": len(last_s) * what.events * len(clients)}

    def _next_body(self, what: Workload) -> bytes:
        body = workload.body(what, self._seq + 1)
        if what.path == EVENTS_PATH:
            self._seq += what.events
        return body

    def _post(self, path: str, body: bytes, deliveries: int) -> None:
        clients, caller = self._clients, self._caller
        wanted = clients.heard + deliveries
        deadline = time.perf_counter() + _HEARD_WITHIN_S
        caller.post(request(path, body, self._secret))
        while clients.heard < wanted or caller.waiting:
            clients.pump(1)
            if time.perf_counter() > deadline:
                raise Lost(f"{wanted - clients.heard} of {deliveries} deliveries were missing at the deadline")

    def _idle(self, seconds: float) -> dict[str, Any]:
        pings = self._clients.pings
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self._clients.pump(left)
        return {"pings": self._clients.pings - pings}

    def _drop(self) -> dict[str, Any]:
        self._clients.drop()
        return {}


if __name__ == "__main__":
    Generator(int(os.environ["PORT"]), os.environ["SOCKET_PATH"], os.environ["SECRET"]).run()
