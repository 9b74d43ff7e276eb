"""Very many stock JavaScript clients, in a few Node processes."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

from deploy.local import tether
from tests.listening import SOCKET_PATH
from tests.scale.figure import Figure, none
from tests.tools import require
from tests.waiting import eventually

OPTIONS = {
    "path": SOCKET_PATH,
    "transports": ["websocket"],
    # What the guarantee is given for.
    "reconnectionAttempts": 10,
    "reconnectionDelay": 500,
}
_OF_ONE_PROCESS = 500
_WRONG = ("lost", "doubled", "out_of_order")
_PROGRAM = Path(__file__).with_name("clients.mjs")
_MAX_LINE_BYTES = 16 * 1024 * 1024
_WELCOMED_WITHIN_S = 60
_HEARD_WITHIN_S = 60
_LATE_S = 0.5  # what is heard once too often comes late


class _Part:
    """The clients of one process."""

    def __init__(self, process: Process) -> None:
        self.said: dict[str, Any] = {"last": -1, **dict.fromkeys(_WRONG, 0)}
        self._process = process

    def say(self, what: dict[str, Any]) -> None:
        """Tell it something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")

    async def read(self, take: Callable[[list[Any]], None]) -> None:
        """Take what it says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said = json.loads(line)
            for note in self.said["notes"]:
                take(note)


class Clients:
    """The clients. They judge the numbers themselves; what else happens to them is taken down here."""

    def __init__(self, count: int) -> None:
        self.count = count
        # Where each client is that is connected.
        self.places: dict[int, str] = {}
        # When clients were greeted again, in milliseconds of the machine's clock.
        self.reconnected_ms: list[float] = []
        self.troubles: Counter[str] = Counter()
        self._greeted: set[int] = set()
        self._parts: list[_Part] = []

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, count: int, tokens: Sequence[str] | None = None) -> AsyncIterator[Self]:
        """Connect them; all were greeted.

        Args:
            url: The origin they connect to.
            count: How many.
            tokens: One for each, or None.
        """
        clients = cls(count)
        async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
            for first in range(0, count, _OF_ONE_PROCESS):
                part = _Part(await stack.enter_async_context(_process()))
                clients._parts.append(part)
                until = min(first + _OF_ONE_PROCESS, count)
                own = {"first": first, "count": until - first, "tokens": tokens and tokens[first:until]}
                part.say({"url": url, "options": OPTIONS, **own})
                group.create_task(part.read(clients._take))
            await eventually(
                lambda: len(clients.places) == count,
                message="every client is greeted",
                timeout_s=_WELCOMED_WITHIN_S,
            )
            yield clients

    def nodes(self) -> Counter[str]:
        """Return how many clients are on each emitter now."""
        return Counter(self.places.values())

    async def heard(self, seq: int, timeout_s: float) -> None:
        """Wait until every client has heard all up to a number."""
        await eventually(lambda: self._last >= seq, message=f"every client has heard {seq}", timeout_s=timeout_s)

    async def judged(self, seq: int) -> list[Figure]:
        """Say whether each has heard every number up to `seq` once and in order, and was never told to reload."""
        with suppress(AssertionError):  # who is behind is counted
            await self.heard(seq, _HEARD_WITHIN_S)
        await asyncio.sleep(_LATE_S)
        return [
            *(none(what.replace("_", " "), sum(part.said[what] for part in self._parts)) for what in _WRONG),
            none("behind", max(0, seq - self._last)),
            none("not recovered", self.troubles["not recovered"]),
            none("gave up", self.troubles["gave_up"]),
        ]

    @property
    def _last(self) -> int:
        return min(int(part.said["last"]) for part in self._parts)

    def _take(self, note: list[Any]) -> None:
        client, at_ms, what, detail = note
        if what in {"welcome", "recovered"}:
            self.places[client] = detail
            if client in self._greeted:
                self.reconnected_ms.append(at_ms)
                self.troubles["not recovered"] += what == "welcome"
            self._greeted.add(client)
        else:
            self.places.pop(client, None)
            self.troubles[what] += 1


@asynccontextmanager
async def _process() -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
        *(require("node", "install Node.js"), str(_PROGRAM)),
        stdin=PIPE,
        stdout=PIPE,
        limit=_MAX_LINE_BYTES,
        start_new_session=True,  # Ctrl-C is for the run alone
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()
