"""The process that creates products and hears of them. `creations.py` starts it.

One subscriber listens for each product; the others are read from time to time, so that they cost next to nothing here.
All clocks are this process's own.
"""

import itertools
import os
import re
import time
from collections import deque
from typing import Any

from tests.benchmarks import commands
from tests.benchmarks.calls import Caller, request
from tests.benchmarks.clients import MARK, Clients, Lost
from tests.benchmarks.figures import percentile

_NUMBER = re.compile(re.escape(MARK) + rb"(\d{8})")
_LONGEST = len(MARK) + 8
_DRAIN_EACH_S = 0.05
_HEARD_WITHIN_S = 30
# It makes frames of 384 to 511 bytes, whose length holds no byte that is a character.
_DESCRIPTION = "x" * 110


class Creating:
    """Subscribers of an emitter, and callers of the product API."""

    def __init__(self, api_ports: list[int], emitter_port: int, path: str) -> None:
        self._clients = Clients(emitter_port, path)
        self._api_ports = api_ports
        self._callers: list[Caller] = []
        self._numbers = itertools.count()
        self._due: dict[int, float] = {}
        self._heard_s: list[float] = []
        self._asked: dict[Caller, float] = {}
        self._answered_s: list[float] = []
        self._last_heard = 0.0
        self._tail = b""
        self._drained = 0.0

    def run(self) -> None:
        """Do what is asked until there is nobody to ask."""
        commands.serve(self._clients, {"subscribe": self._subscribe, "create": self._create})

    def _subscribe(self, count: int, callers: int) -> dict[str, Any]:
        self._clients.connect(count, timeout_s=_HEARD_WITHIN_S)
        self._clients.take_one(self._hear)
        self._clients.rest()
        ports = itertools.cycle(self._api_ports)
        self._callers = [Caller(next(ports), self._clients) for _ in range(callers)]
        return {}

    def _create(self, seconds: float, rate: float | None = None) -> dict[str, Any]:
        """Create for so long: at a rate, or each caller when it was answered. Return when all was heard."""
        self._heard_s.clear()
        self._answered_s.clear()
        self._clients.count_anew()
        start = time.perf_counter()
        if rate is None:
            self._create_at_once(start + seconds)
        else:
            self._create_in_time([start + number / rate for number in range(int(seconds * rate))])
        answered = time.perf_counter()
        self._wait_for_the_rest()
        return {
            "creates": len(self._heard_s),
            "seconds": answered - start,
            "behind_s": max(0.0, self._last_heard - answered),
            "answered_p50_s": percentile(self._answered_s, 50),
            "heard_p50_s": percentile(self._heard_s, 50),
            "heard_p99_s": percentile(self._heard_s, 99),
        }

    def _create_at_once(self, end: float) -> None:
        while time.perf_counter() < end:
            for caller in self._callers:
                if not caller.waiting:
                    self._post(caller, time.perf_counter())
            self._pump(end)
        self._answered()

    def _create_in_time(self, due: list[float]) -> None:
        queue = deque(due)
        while queue:
            now = time.perf_counter()
            idle = [caller for caller in self._callers if not caller.waiting]
            # What has to wait for a caller counts from when it was due.
            while idle and queue and queue[0] <= now:
                self._post(idle.pop(), queue.popleft())
            self._pump(queue[0] if idle and queue else now + 1)
        self._answered()

    def _post(self, caller: Caller, due: float) -> None:
        number = next(self._numbers)
        self._due[number] = self._asked[caller] = due
        name = f"product {MARK.decode()}{number:08d}"
        body = f'{{"name":"{name}","price":"9.99","description":"{_DESCRIPTION}"}}'
        caller.post(request("/products", body.encode()))

    def _answered(self) -> None:
        deadline = time.perf_counter() + _HEARD_WITHIN_S
        while any(caller.waiting for caller in self._callers):
            self._pump(deadline)
            if time.perf_counter() > deadline:
                raise Lost("a create was not answered")

    def _wait_for_the_rest(self) -> None:
        deadline = time.perf_counter() + _HEARD_WITHIN_S
        while self._due or not self._clients.each_heard(len(self._heard_s)):
            if time.perf_counter() > deadline:
                raise Lost(f"{len(self._due)} products were not heard of, or not by every subscriber once")
            self._pump(deadline)

    def _pump(self, until: float) -> None:
        now = time.perf_counter()
        if now - self._drained > _DRAIN_EACH_S:
            self._clients.drain()
            self._drained = now
        self._clients.pump(max(0.0, min(until - now, _DRAIN_EACH_S)))
        now = time.perf_counter()
        for caller in [caller for caller in self._asked if not caller.waiting]:
            self._answered_s.append(now - self._asked.pop(caller))

    def _hear(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self._tail + data
        end = 0
        for found in _NUMBER.finditer(data):
            # A product that is heard of for the second time is not due any more: the run fails.
            self._last_heard = now
            self._heard_s.append(now - self._due.pop(int(found[1])))
            end = found.end()
        self._tail = data[max(end, len(data) - _LONGEST) :]


if __name__ == "__main__":
    Creating(
        [int(port) for port in os.environ["API_PORTS"].split(",")],
        int(os.environ["PORT"]),
        os.environ["SOCKET_PATH"],
    ).run()
