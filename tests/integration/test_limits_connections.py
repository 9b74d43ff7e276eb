"""Every connection is counted for as long as it is there, also those that were never clients, or are none any more."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from tests.events import live
from tests.integration.emitter import Emitter
from tests.limits import limited
from tests.waiting import eventually
from ws_service.engine import http
from ws_service.engine.frames import MOST_LATE_BYTES

pytestmark = pytest.mark.usefixtures("still_windows")

SOCKETS = "/websocket-service"
POLLING = f"{SOCKETS}/?EIO=4&transport=polling"
WEBSOCKET = f"{SOCKETS}/?EIO=4&transport=websocket"
RAW = f"{SOCKETS}/raw"
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: emitter\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Shake = Callable[..., Coroutine[Any, Any, tuple[int, Streams]]]


def counted(emitter: Emitter) -> int:
    return len(emitter.sockets.server.eio.admission)


async def opened(emitter: Emitter) -> str:
    """Return the id of a new session of long-polling."""
    return str(json.loads((await emitter.public.get(POLLING)).text[1:])["sid"])


@pytest.fixture
async def shake() -> AsyncIterator[Shake]:
    """What asks for a websocket by hand, and returns the status of the answer. It never sends a close frame."""
    writers = []

    async def shake(emitter: Emitter, path: str = WEBSOCKET) -> tuple[int, Streams]:
        host, port = emitter.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
        writer.write(UPGRADE.format(path=path).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1]), (reader, writer)

    yield shake
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def until_close_frame(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(5):
        while b"\x88" not in await reader.read(4096):
            pass


def frame(data: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, data).serialize(mask=True)


async def ended(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(65_536):
            pass


# Those that are none any more.


@pytest.mark.parametrize("path", [WEBSOCKET, RAW])
async def test_who_was_sent_away_counts_until_the_connection_is_gone(path: str, shake: Shake) -> None:
    """The server has ended it, and waits for the client's close frame, which never comes."""
    async with Emitter.opened(max_connections_per_address=2) as emitter:
        held = []
        for _ in range(2):
            status, (reader, writer) = await shake(emitter, path)
            assert status == 101
            # Nonsense to either.
            writer.write(frame(b"9"))
            await until_close_frame(reader)
            held.append(writer)
        assert not emitter.sockets.server.eio.sockets
        assert (await shake(emitter, path))[0] == 429
        held[0].close()
        await eventually(lambda: counted(emitter) == 1, message="it is gone")
        assert (await shake(emitter, path))[0] == 101


async def test_what_comes_after_the_end_is_bounded(shake: Shake) -> None:
    """Who goes on sending behind a close frame is not read for long."""
    async with Emitter.opened() as emitter:
        before = limited("late")
        _, (reader, writer) = await shake(emitter)
        writer.write(frame(b"9"))
        await until_close_frame(reader)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with contextlib.suppress(ConnectionError):
            for _ in range(2 + MOST_LATE_BYTES // 10_000):
                writer.write(frame(b"4" * 10_000))
                await writer.drain()
        await ended(reader)
        assert loop.time() - begun < 5
        assert limited("late") == before + 1
        await eventually(lambda: counted(emitter) == 0, message="it is gone")


async def test_who_went_too_far_is_not_waited_for_long(shake: Shake) -> None:
    """It was told why, and that is all."""
    async with Emitter.opened() as emitter:
        _, (reader, writer) = await shake(emitter, RAW)
        writer.write(frame(b"9"))
        await until_close_frame(reader)
        async with asyncio.timeout(5):
            await ended(reader)
        assert counted(emitter) == 0


# Those that are none yet.


async def test_a_session_is_offered_one_websocket_at_a_time(shake: Shake) -> None:
    """Another one is refused before it is opened; when the first is gone, it is the turn of the next."""
    async with Emitter.opened() as emitter:
        path = f"{WEBSOCKET}&sid={await opened(emitter)}"
        status, (_, first) = await shake(emitter, path)
        assert status == 101
        for _ in range(3):
            status, (reader, _) = await shake(emitter, path)
            assert status == 400
            await ended(reader)
        first.transport.abort()

        async def is_taken() -> bool:
            return (await shake(emitter, path))[0] == 101

        await eventually(is_taken, message="the first one is gone")


async def test_a_probe_that_was_closed_still_is_the_one(shake: Shake) -> None:
    """Else a session would have any number of them, each of which waits for a close frame; but not for long."""
    async with Emitter.opened() as emitter:
        path = f"{WEBSOCKET}&sid={await opened(emitter)}"
        _, (reader, writer) = await shake(emitter, path)
        writer.write(frame(b"no probe"))
        await until_close_frame(reader)
        assert (await shake(emitter, path))[0] == 400
        async with asyncio.timeout(5):
            await ended(reader)
        assert (await shake(emitter, path))[0] == 101


async def test_many_probes_at_once_do_not_slip_through(shake: Shake) -> None:
    """One of them is taken."""
    async with Emitter.opened() as emitter:
        path = f"{WEBSOCKET}&sid={await opened(emitter)}"
        answers = await asyncio.gather(*(shake(emitter, path) for _ in range(20)))
        assert sorted(status for status, _ in answers) == [101] + [400] * 19


async def test_probes_from_one_address_have_a_rate(shake: Shake) -> None:
    """As many as handshakes of those who come, which are counted apart: a stock client makes one of either."""
    async with Emitter.opened(handshakes_per_second=2) as emitter:
        before = limited("handshakes")
        sids = [await opened(emitter) for _ in range(4)]
        statuses = [(await shake(emitter, f"{WEBSOCKET}&sid={sid}"))[0] for sid in [*sids, *sids]]
        assert statuses == [101] * 4 + [429] * 4
        assert limited("handshakes") == before + 4
        session = f"{POLLING}&sid={sids[0]}"
        assert (await emitter.public.post(session, content="40")).text == "ok", "the polling goes on"


# The others.


async def test_a_full_emitter_answers_those_without_whom_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its probes, and the relay; whoever else comes is told to come again."""
    monkeypatch.setattr(http, "SPARE_CONNECTIONS", 0)
    async with Emitter.opened(max_connections=3) as emitter, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(emitter.client()) for _ in range(3)]
        for client in clients:
            await client.welcome()
        before = limited("http_connections")
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await emitter.public.get(path)).status_code == 200
        assert (await emitter.post(live(1, 1))).status_code == 200
        assert [await client.seqs(1) for client in clients] == [[1]] * 3
        for path in (POLLING, f"{SOCKETS}/assign", "/connections", "/livez/"):
            answer = await emitter.public.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        with pytest.raises(InvalidStatus, match="503"):
            await connect(f"ws://{emitter.address}{WEBSOCKET}", proxy=None)
        assert limited("http_connections") == before + 5
        # Who says nothing makes room.
        host, port = emitter.address.split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(2 * http.RESERVED_CONNECTIONS)]
        assert (await emitter.public.get("/livez")).status_code == 200
        for _, writer in idle:
            writer.close()
