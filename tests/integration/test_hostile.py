"""Clients that do not play by the rules, by malice or by a bad network: they are cut off, and nobody else notices."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from tests.events import event, live
from tests.integration.emitter import Emitter
from tests.waiting import eventually
from ws_service import metrics
from ws_service.engine.polling import HIGH_WATER_BYTES
from ws_service.engine.session import MOST_WAITING, Session
from ws_service.ingest.subscriptions import CHUNK_BYTES
from ws_service.limits.allowance import PACKETS_A_TURN

POLLING = "/websocket-service/?EIO=4&transport=polling"
UPGRADE = (
    "GET /websocket-service/?EIO=4&transport=websocket HTTP/1.1\r\nHost: emitter\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LARGE = "x" * 10_000
HUGE = "x" * 100_000


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open()
        yield emitter


@pytest.fixture
async def patient() -> AsyncIterator[Emitter]:
    """An emitter that does not mind how often a client says something."""
    async with Emitter.running(client_messages_per_second=10_000) as emitter:
        await emitter.open()
        yield emitter


class Stubborn:
    """A websocket that never reads more than it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, emitter: Emitter) -> "Stubborn":
        """Connect to the namespace and stop reading."""
        host, port = emitter.address.split(":")
        # A small buffer on this side; the kernel's own for both ends are large enough as it is.
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        client = cls(reader, writer)
        writer.write(UPGRADE.encode())
        await reader.readuntil(b"\r\n\r\n")
        before = len(emitter.hub.subscriptions.everyone())
        client.send("40")
        await eventually(lambda: len(emitter.hub.subscriptions.everyone()) > before, message="it is connected")
        return client

    def send(self, packet: str) -> None:
        """Send an Engine.IO packet."""
        self._writer.write(Frame(Opcode.TEXT, packet.encode()).serialize(mask=True))

    def send_raw(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def until(self, wanted: bytes) -> bytes:
        """Read until something was heard."""
        heard = b""
        async with asyncio.timeout(30):
            while wanted not in heard:
                heard += await self._reader.read(4096)
        return heard

    def ping(self) -> None:
        """Send a ping of the websocket protocol, as large as it may be."""
        self._writer.write(Frame(Opcode.PING, b"x" * 125).serialize(mask=True))

    async def drain(self) -> None:
        """Wait until what was sent has left."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    def close(self) -> None:
        """Go away."""
        self._writer.transport.abort()


def cut_off() -> float:
    return float(metrics.cut_off.labels("pending")._value.get())  # noqa: SLF001  # the library shows it by text alone


def pending(emitter: Emitter) -> int:
    """Return the most that waits in any transport, in bytes."""
    sessions = emitter.sockets.server.eio.sockets.values()
    transports = [session.transport._transport for session in sessions]  # noqa: SLF001  # what it holds is tested
    return max(int(transport.get_write_buffer_size()) for transport in transports)


async def emit(emitter: Emitter, payload: Any) -> None:
    answer = await emitter.http.post("/emit", json={"event": "news", "payload": payload})
    assert answer.status_code == 200


async def test_who_does_not_read_holds_up_nobody_and_grows_nothing(emitter: Emitter) -> None:
    """Numbered events wait in the history that all share: no more than a part waits for a client that does not read."""
    stubborn = await Stubborn.connected(emitter)
    async with emitter.client() as client:
        await client.welcome()
        for first in range(1, 801, 20):
            batch = live(first, first + 19)
            events = [event(each.seq, payload=LARGE) for each in batch.events]
            assert (await emitter.post(batch.model_copy(update={"events": events}))).status_code == 200
            assert await client.seqs(20) == list(range(first, first + 20))
            assert pending(emitter) <= HIGH_WATER_BYTES + 2 * CHUNK_BYTES
        assert pending(emitter) > 0, "the other one does not read"
    stubborn.close()


async def test_who_does_not_read_messages_is_cut_off(emitter: Emitter) -> None:
    """What has no number waits for each client, within a bound; beyond it the client is cut off and counted."""
    before = cut_off()
    stubborn = await Stubborn.connected(emitter)
    async with emitter.client() as client:
        await client.welcome()
        for number in range(200):
            await emit(emitter, [number, HUGE])
            assert (await client.event())[1] == [number, HUGE]
            if cut_off() > before:
                break
    assert cut_off() == before + 1
    stubborn.close()
    await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="nothing is left of either")


async def test_who_does_not_poll_is_cut_off(emitter: Emitter) -> None:
    """The same for a client that polls, and then does not."""
    before = cut_off()
    opened = json.loads((await emitter.http.get(POLLING)).text[1:])
    await emitter.http.post(f"{POLLING}&sid={opened['sid']}", content="40")
    for number in range(12):
        await emit(emitter, [number, HUGE])
    assert cut_off() == before + 1
    assert (await emitter.http.get(f"{POLLING}&sid={opened['sid']}")).status_code == 400


async def test_a_flood_of_pings_from_who_does_not_read_ends_it(patient: Emitter) -> None:
    """The answers to a client's own pings are bounded as well."""
    before = cut_off()
    stubborn = await Stubborn.connected(patient)

    async def flood() -> None:
        while cut_off() == before:
            for _ in range(1_000):
                stubborn.ping()
            await stubborn.drain()

    await asyncio.wait_for(flood(), 30)
    stubborn.close()
    await eventually(lambda: not patient.hub.subscriptions.everyone(), message="it is gone")


async def test_more_messages_than_may_wait_are_all_answered_in_order(patient: Emitter) -> None:
    """A burst of a client is taken at the pace at which it is dealt with, and nothing of it is lost."""
    async with patient.client() as client:
        await client.welcome()
        for number in range(5 * MOST_WAITING):
            await client.send(f'42{number}["nothing"]')
        for number in range(5 * MOST_WAITING):
            assert (await client.receive()).startswith(f"43{number}[")


async def test_a_burst_in_one_request_is_answered_in_order(patient: Emitter) -> None:
    """The same for a client that polls."""
    emitter = patient
    opened = json.loads((await emitter.http.get(POLLING)).text[1:])
    session = f"{POLLING}&sid={opened['sid']}"
    numbers = range(3 * MOST_WAITING)
    body = "\x1e".join(["40", *(f'42{number}["nothing"]' for number in numbers)])
    assert (await emitter.http.post(session, content=body)).text == "ok"
    answers = (await emitter.http.get(session)).text.split("\x1e")
    assert [answer.partition("[")[0] for answer in answers[2:]] == [f"43{number}" for number in numbers]


async def test_who_sends_no_request_is_dropped() -> None:
    """Connections that begin nothing, or half a request, end after a while; who is connected stays."""
    async with Emitter.running(request_timeout_ms=500) as emitter:
        await emitter.open()
        host, port = emitter.address.split(":")
        async with emitter.client() as client:
            await client.welcome()
            opened = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
            for number, (_, writer) in enumerate(opened):
                writer.write(
                    [
                        b"",
                        b"GET / HT",
                        UPGRADE[:80].encode(),
                        b"POST /emit HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
                    ][number % 4]
                )
            async with asyncio.timeout(30):
                for reader, writer in opened:
                    with_nothing = await reader.read()
                    writer.close()
                    assert with_nothing[:12] in {b"", b"HTTP/1.1 401", b"HTTP/1.1 408"}
            await emitter.post(live(1, 1))
            assert await client.seqs(1) == [1]


async def test_no_client_brings_a_traceback_into_the_log(emitter: Emitter, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever a client sends, it is closed without a word more than one line."""
    for packet in [
        "",
        "9",
        "4",
        "4x",
        "45-[",
        '451-["subscribe",{"_placeholder":true,"num":7}]',
        "42[[]]",
        "2",
        "1",
        "b!",
    ]:
        async with emitter.client() as client:
            await client.welcome()
            await client.send(packet)
            if packet.startswith("451-"):
                await client.websocket.send(b"attachment")
            await client.closed()
    async with emitter.client() as client:
        await client.welcome()
        await client.send('42["subscribe",' + "[" * 2_000 + "]" * 2_000 + "]")
        await client.closed()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("frame", [Frame(Opcode.TEXT, b"3"), Frame(Opcode.TEXT, b"430[]"), Frame(Opcode.PING, b"")])
async def test_the_loop_is_not_held_up_by_thousands_of_small_frames(patient: Emitter, frame: Frame) -> None:
    """What one client sends at once is dealt with a little a turn: a probe is answered in between."""
    stubborn = await Stubborn.connected(patient)
    last = Frame(Opcode.TEXT, b'427["nothing"]').serialize(mask=True)
    stubborn.send_raw(frame.serialize(mask=True) * 20_000 + last)
    answered = asyncio.create_task(stubborn.until(b"437["))
    probes = await _probes_until(patient, answered)
    stubborn.close()
    # One, or two, where all is dealt with in one turn.
    assert probes > 10


@pytest.mark.parametrize("packet", ["3", "430[]"])
async def test_the_loop_is_not_held_up_by_a_request_of_thousands_of_packets(patient: Emitter, packet: str) -> None:
    """The same for a client that polls."""
    opened = json.loads((await patient.http.get(POLLING)).text[1:])
    body = "\x1e".join(["40", *[packet] * 15_000])
    answered = asyncio.create_task(patient.public.post(f"{POLLING}&sid={opened['sid']}", content=body))
    assert await _probes_until(patient, answered) > 10
    assert answered.result().text == "ok"


async def test_what_has_waited_is_dealt_with_a_little_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages of those who wait for the history, which come to their turn at the same moment."""
    turns: Counter[int] = Counter()
    turn = 0

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async with Emitter.running(client_messages_per_second=10_000) as emitter, emitter.client() as client:
        engine = emitter.sockets.server.eio
        receive = engine.receive

        async def counted(session: Session, message: str | bytes) -> None:
            await receive(session, message)
            turns[turn] += 1

        monkeypatch.setattr(engine, "receive", counted)
        for _ in range(MOST_WAITING - 10):
            await client.send("430[]")
        await client.send('427["nothing"]')
        [session] = engine.sockets.values()
        await eventually(lambda: len(session._inbox or ()) == MOST_WAITING - 9, message="all wait")  # noqa: SLF001
        counting = asyncio.create_task(count_turns())
        await emitter.open()
        await client.welcome()
        assert (await client.receive()).startswith("437[")
        counting.cancel()
    assert sum(turns.values()) >= MOST_WAITING - 9
    assert max(turns.values()) <= PACKETS_A_TURN


async def _probes_until(emitter: Emitter, answered: asyncio.Task[Any]) -> int:
    probes = 0
    while not answered.done():
        assert (await emitter.http.get("/livez")).status_code == 200
        probes += 1
    await answered
    return probes


async def test_a_message_in_countless_empty_pieces_takes_no_memory(patient: Emitter) -> None:
    """Fragments are put together as they come, so that a million empty ones are nothing."""
    stubborn = await Stubborn.connected(patient)
    empty = Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)
    stubborn.send_raw(Frame(Opcode.TEXT, b"4", fin=False).serialize(mask=True) + empty * 20_000)
    stubborn.send_raw(Frame(Opcode.CONT, b'27["nothing"]').serialize(mask=True))
    assert b"437[" in await stubborn.until(b"437[")
    stubborn.close()


@pytest.mark.parametrize("packet", ["1", "2", "9"])
async def test_an_end_in_the_same_breath_as_a_close_leaves_nothing(emitter: Emitter, packet: str) -> None:
    """A packet that ends the session and the websocket's own close may come in one segment."""
    stubborn = await Stubborn.connected(emitter)
    frames = [Frame(Opcode.TEXT, packet.encode()), Frame(Opcode.CLOSE, b"")]
    stubborn.send_raw(b"".join(frame.serialize(mask=True) for frame in frames))
    await eventually(lambda: not emitter.sockets.server.eio.sockets, message="the session is forgotten")
    assert not emitter.hub.subscriptions.everyone()
    stubborn.close()


async def test_a_long_burst_with_a_bad_packet_is_answered(emitter: Emitter) -> None:
    """A request that brought more than may wait is answered even if the session ends meanwhile."""
    opened = json.loads((await emitter.http.get(POLLING)).text[1:])
    body = "\x1e".join(["4x", *['42["nothing"]'] * (2 * MOST_WAITING)])
    assert (await emitter.http.post(f"{POLLING}&sid={opened['sid']}", content=body)).text == "ok"


@pytest.mark.parametrize("target", ["http://h", "http://h:99999999/", "*", "/websocket-service/?\x00"])
async def test_an_upgrade_to_nowhere_is_refused(
    emitter: Emitter, target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A request line that is none gets an answer, or an end, and no traceback."""
    host, port = emitter.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(UPGRADE.replace("/websocket-service/?EIO=4&transport=websocket", target, 1).encode())
    async with asyncio.timeout(30):
        assert (await reader.read())[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 404"}
    writer.close()
    assert "Traceback" not in capfd.readouterr().err


async def test_a_head_without_end_is_cut_off(emitter: Emitter) -> None:
    """A request's head is bounded, as its body is."""
    host, port = emitter.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /livez HTTP/1.1\r\n")
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"X-Header: " + b"x" * 10_000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
    writer.close()


async def test_who_goes_with_many_requests_unanswered_is_forgotten(
    emitter: Emitter, capfd: pytest.CaptureFixture[str]
) -> None:
    """Requests may come before their answers; when the client goes, none of them is answered any more."""
    host, port = emitter.address.split(":")
    for _ in range(20):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: emitter\r\n\r\n" * 200)
        await asyncio.sleep(0)
        writer.transport.abort()
    assert (await emitter.http.get("/livez")).status_code == 200
    assert "Traceback" not in capfd.readouterr().err
