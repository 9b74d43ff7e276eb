"""In how many pieces a client may send a message: what it is told, and what is counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.integration.emitter import Emitter
from tests.limits import limited


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Emitter]:
    async with Emitter.running(**settings) as emitter:
        await emitter.open()
        yield emitter


async def reason(websocket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(10):
        await websocket.wait_closed()
    return websocket.close_code, websocket.close_reason


PLACEHOLDERS = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(9))


async def test_a_message_has_as_many_bytes_with_its_attachments() -> None:
    """They are all kept until the last one has come: 1008 as soon as they are too much together."""
    async with running(max_payload_bytes=1_000) as emitter, emitter.client() as client:
        await client.welcome()
        before = limited("payload")
        await client.send(f'459-1["nothing",{PLACEHOLDERS}]')
        for _ in range(9):
            await client.websocket.send(b"x" * 50)
        assert (await client.receive()).startswith("431"), "this is not too much"
        await client.send(f'459-1["nothing",{PLACEHOLDERS}]')
        for _ in range(2):
            await client.websocket.send(b"x" * 500)
        assert await reason(client.websocket) == (1008, "a message has at most 1000 bytes with its attachments")
        assert limited("payload") == before + 1


async def test_the_attachments_of_a_message_have_to_come() -> None:
    """What has come is not kept for ever for what has not."""
    async with running(request_timeout_ms=200) as emitter, emitter.client() as client:
        await client.welcome()
        before = limited("message_time")
        await client.send(f'459-["nothing",{PLACEHOLDERS}]')
        await client.websocket.send(b"x" * 50_000)
        assert await reason(client.websocket) == (1008, "a message has to come within 0.2 s")
        assert limited("message_time") == before + 1
        assert not emitter.sockets.server._incomplete  # noqa: SLF001  # the memory is tested
