"""Clients that listen without Socket.IO: curl, and one that connects and never reads."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Self

from tests.events import event, live
from tests.integration.emitter import Emitter
from tests.waiting import eventually
from ws_service import metrics

_HEARD_TIMEOUT_S = 30
_LONGEST_EVENT = 1024 * 1024


class Heard(NamedTuple):
    """One server-sent event."""

    id: str | None
    name: str
    data: dict[str, Any]


class Curl:
    """`curl -N`, which prints what it hears as it comes."""

    def __init__(self, process: asyncio.subprocess.Process, output: asyncio.StreamReader) -> None:
        self.process = process
        self._output = output

    @classmethod
    @contextlib.asynccontextmanager
    async def listening(cls, emitter: Emitter, query: str = "", *headers: str) -> AsyncIterator[Self]:
        """Run one; it is killed at the end."""
        options = [option for header in headers for option in ("--header", header)]
        url = f"http://{emitter.address}/websocket-service/sse?{query}"
        process = await asyncio.create_subprocess_exec(
            *("curl", "--no-buffer", "--silent", "--noproxy", "*", *options, url),
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_EVENT,
        )
        assert process.stdout is not None
        try:
            yield cls(process, process.stdout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.stdout.read()
            await process.wait()

    async def block(self) -> list[str]:
        """Return the next lines, up to an empty one."""
        async with asyncio.timeout(_HEARD_TIMEOUT_S):
            lines = await self._output.readuntil(b"\n\n")
        return lines.decode().splitlines()[:-1]

    async def event(self) -> Heard:
        """Return the next event."""
        while True:
            fields = dict(line.split(": ", 1) for line in await self.block() if not line.startswith(":"))
            if "data" in fields:
                return Heard(fields.get("id"), fields["event"], json.loads(fields["data"]))

    async def seqs(self, count: int) -> list[int]:
        """Return the numbers of the next events."""
        return [(await self.event()).data["meta"]["seq"] for _ in range(count)]

    async def ended(self) -> int:
        """Wait until the server has ended the response, and return curl's exit code."""
        async with asyncio.timeout(_HEARD_TIMEOUT_S):
            await self._output.read()
            return await self.process.wait()


@contextlib.asynccontextmanager
async def never_reading(emitter: Emitter, request: str) -> AsyncIterator[None]:
    """Send a request that makes a listener, and read nothing of what is answered."""
    host, port = emitter.address.split(":")
    before = len(emitter.hub.subscriptions.everyone())
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    try:
        writer.write(request.encode())
        await eventually(lambda: len(emitter.hub.subscriptions.everyone()) > before, message="it listens")
        yield
    finally:
        writer.transport.abort()


async def post_large(emitter: Emitter, first: int, last: int, size: int) -> None:
    """Post live events with payloads of that many bytes."""
    events = [event(seq, payload="x" * size) for seq in range(first, last + 1)]
    batch = live(first, last).model_copy(update={"events": events})
    assert (await emitter.post(batch)).status_code == 200


async def emit(emitter: Emitter, name: str, payload: Any, to: list[str] | None = None) -> None:
    """Send an unnumbered message to everyone, or to some."""
    answer = await emitter.http.post("/emit", json={"event": name, "payload": payload, "to": to})
    assert answer.status_code == 200, answer.text


def cut_off() -> float:
    """Return how many clients were cut off because too much waited for them."""
    return float(metrics.cut_off.labels("pending")._value.get())  # noqa: SLF001  # the library shows it by text alone


def connections() -> float:
    """Return how many clients are counted as connected."""
    return float(metrics.connections._value.get())  # noqa: SLF001  # the library tells a value in no other way
