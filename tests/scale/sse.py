"""curl on the server-sent events, killed and started again."""

import asyncio
import random
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from tests.listening import SOCKET_PATH
from tests.scale.figure import Figure, none, told
from tests.scale.load import Load
from tests.system import System
from tests.tools import require
from tests.waiting import eventually

_HEARD_WITHIN_S = 20
_ID = b"id: "


class Options(NamedTuple):
    """How often curl is killed, and changes a second."""

    lives: int = 20
    rate: float = 40


class Ids:
    """The ids of the events that were heard whole, over all lives of curl."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self.welcomes = 0

    async def read(self, output: asyncio.StreamReader) -> None:
        """Take one life's events, to its end."""
        with suppress(asyncio.IncompleteReadError):
            while True:
                block = await output.readuntil(b"\n\n")
                self.welcomes += b"event: welcome\n" in block
                self.all += [line[len(_ID) :].decode() for line in block.splitlines() if line.startswith(_ID)]

    def seqs(self) -> list[int]:
        """Return their numbers."""
        return [int(each.rpartition(":")[2]) for each in self.all]


async def run(system: System, options: Options) -> list[Figure]:
    """Kill curl again and again under load, and start it again with the last id that it said."""
    ids = Ids()
    rng = random.Random(1)  # noqa: S311 - it has to repeat itself
    url = f"{system.url}{SOCKET_PATH}/sse"
    async with _curl(url, ids), Load.on(system, options.rate) as load:
        first = load.last + 1
        await eventually(lambda: ids.all, message="curl hears", timeout_s=_HEARD_WITHIN_S)
    # The load is on for all other lives, too.
    async with Load.on(system, options.rate) as load:
        for _ in range(options.lives):
            async with _curl(url, ids, f"Last-Event-ID: {ids.all[-1]}"):
                await asyncio.sleep(rng.uniform(0.1, 1.5))
        last = await load.stop()
        async with _curl(url, ids, f"Last-Event-ID: {ids.all[-1]}"):
            await eventually(lambda: ids.seqs()[-1] >= last, message="curl has heard all", timeout_s=_HEARD_WITHIN_S)
    seqs = ids.seqs()
    return [
        none("missed", len(set(range(first, last + 1)) - set(seqs))),
        none("doubled", len(seqs) - len(set(seqs))),
        none("out of order", seqs != sorted(seqs)),
        told("heard", len(seqs)),
        told("lives of curl", ids.welcomes),
    ]


@asynccontextmanager
async def _curl(url: str, ids: Ids, *headers: str) -> AsyncIterator[None]:
    """Have curl listen, until it is killed; all that it has said until then is read."""
    options = [option for header in headers for option in ("--header", header)]
    process = await asyncio.create_subprocess_exec(
        *(require("curl", "install curl"), "-N", "--silent", "--noproxy", "*", *options, url), stdout=PIPE
    )
    assert process.stdout is not None
    reading = asyncio.create_task(ids.read(process.stdout))
    welcomes = ids.welcomes
    try:
        await eventually(lambda: ids.welcomes > welcomes, message="curl is greeted", timeout_s=_HEARD_WITHIN_S)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading
