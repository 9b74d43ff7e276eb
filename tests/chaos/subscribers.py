"""Fifty stock JavaScript clients that listen all the time, half of which lose their connection now and then."""

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from deploy.local import tether
from tests.chaos.judge import Change, Heard
from tests.listening import SOCKET_PATH
from tests.tools import require
from tests.waiting import eventually

COUNT = 50
DROP_EVERY_S = 0.5
_PROGRAM = Path(__file__).with_name("subscribers.mjs")
_MAX_LINE_BYTES = 16 * 1024 * 1024
_WELCOMED_WITHIN_S = 30
_POLLING_EVERY, _UPGRADING_EVERY = 10, 7
_DIRECT_EVERY = 5


def transports_of(number: int) -> list[str]:
    """Return the transports of a client: most have a websocket at once, a few only poll, a few begin with polling."""
    if number % _POLLING_EVERY == 0:
        return ["polling"]
    return ["polling", "websocket"] if number % _UPGRADING_EVERY == 0 else ["websocket"]


def origin_of(number: int, gateway: str, emitters: Sequence[str]) -> str:
    """Return where a client goes: most through the gateway; where there are several emitters, a few straight to one.

    These come back to where they were; the others come back wherever the gateway sends them.
    """
    if len(emitters) == 1 or number % _DIRECT_EVERY != _DIRECT_EVERY - 1:
        return gateway
    return emitters[number // _DIRECT_EVERY % len(emitters)]


class Subscriber:
    """What one client heard and was told. `steady`: nobody but the faults ever cuts its connection."""

    def __init__(self, number: int) -> None:
        self.name = f"subscriber {number} ({'+'.join(transports_of(number))})"
        self.steady = number % 2 == 0
        self.heard: list[Heard] = []
        self.resyncs: list[Heard] = []
        self.welcomes: list[tuple[float, bool, str]] = []
        self.troubles: Counter[str] = Counter()

    @property
    def gaps_admitted(self) -> int:
        """How often it was told that something cannot be told any more. The first welcome is to a stranger."""
        return len(self.resyncs) + sum(1 for _, recovered, _ in self.welcomes[1:] if not recovered)


class Subscribers:
    """All clients, in one Node process."""

    def __init__(self, process: Process) -> None:
        self.all = [Subscriber(number) for number in range(COUNT)]
        self._process = process
        self._changes: dict[Change, Change] = {}

    @classmethod
    @asynccontextmanager
    async def listening(cls, gateway: str, emitters: Sequence[str]) -> AsyncIterator[Self]:
        """Start them; all were greeted."""
        clients = [
            {"url": origin_of(number, gateway, emitters), "transports": transports_of(number)}
            for number in range(COUNT)
        ]
        arguments = {"path": SOCKET_PATH, "clients": clients}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
            *(require("node", "install Node.js"), str(_PROGRAM), json.dumps(arguments)),
            stdin=PIPE,
            stdout=PIPE,
            limit=_MAX_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for the run alone
        )
        subscribers = cls(process)
        async with asyncio.TaskGroup() as group:
            group.create_task(subscribers._read())
            try:
                await eventually(
                    lambda: all(subscriber.welcomes for subscriber in subscribers.all),
                    message="every subscriber is greeted",
                    timeout_s=_WELCOMED_WITHIN_S,
                )
                yield subscribers
            finally:
                process.kill()
                await process.wait()

    @property
    def steady(self) -> list[Subscriber]:
        """Those whose connection nobody but the faults ever cuts."""
        return [subscriber for subscriber in self.all if subscriber.steady]

    def heard(self) -> Counter[int]:
        """Return how many subscribers have heard how many changes."""
        return Counter(len(subscriber.heard) for subscriber in self.all)

    async def drop_at_random(self, rng: random.Random) -> None:
        """Cut the connection of one that is not steady, again and again, until cancelled."""
        unsteady = [number for number, subscriber in enumerate(self.all) if not subscriber.steady]
        assert self._process.stdin is not None
        while True:
            await asyncio.sleep(rng.uniform(0, 2 * DROP_EVERY_S))
            self._process.stdin.write(f"{rng.choice(unsteady)}\n".encode())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.take(json.loads(line))

    def take(self, notes: Iterable[list[Any]]) -> None:
        """Take down what the clients noted."""
        for number, at_ms, what, *details in notes:
            subscriber = self.all[number]
            if what == "welcome":
                recovered, _, node = details
                subscriber.welcomes.append((at_ms, recovered, node))
            elif what == "heard":
                seq, event, product, version, _ = details
                change = Change(event, product, version)
                # Every change is heard by all: it is kept once.
                heard = Heard(seq, self._changes.setdefault(change, change), at_ms)
                (subscriber.resyncs if event == "resync" else subscriber.heard).append(heard)
            else:
                subscriber.troubles[f"{what}: {details[0]}"] += 1
