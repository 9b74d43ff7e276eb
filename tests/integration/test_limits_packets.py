"""How much a client may send of what is no request, and in how many pieces: what it is told, and what is counted."""

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from tests.integration.emitter import Emitter
from tests.limits import limited
from tests.waiting import eventually
from ws_service.limits.allowance import PACKETS_PER_MESSAGE

SOCKETS = "/websocket-service"
POLLING = f"{SOCKETS}/?EIO=4&transport=polling"
WEBSOCKET = f"{SOCKETS}/?EIO=4&transport=websocket"
RAW = f"{SOCKETS}/raw"

TEXT, PING, CONTINUATION = Opcode.TEXT, Opcode.PING, Opcode.CONT
TINY = {
    "a pong": Frame(TEXT, b"3"),
    "an acknowledgement": Frame(TEXT, b"430[]"),
    "a ping of the websocket": Frame(PING, b""),
    "an empty piece": Frame(CONTINUATION, b"", fin=False),
}
# By default.
A_SECOND = 10 * PACKETS_PER_MESSAGE
AT_ONCE = 5 * A_SECOND


def counted(emitter: Emitter) -> int:
    return len(emitter.sockets.server.eio.admission)


def write(websocket: ClientConnection, frame: Frame, count: int) -> None:
    """Send frames as they are, whatever the library thinks of it, in one write."""
    websocket.transport.write(frame.serialize(mask=True) * count)


async def reason(websocket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(30):
        await websocket.wait_closed()
    return websocket.close_code, websocket.close_reason


async def opened(emitter: Emitter) -> str:
    """Return the path of a new session of long-polling."""
    return f"{POLLING}&sid={json.loads((await emitter.public.get(POLLING)).text[1:])['sid']}"


@pytest.mark.parametrize("tiny", TINY)
async def test_a_client_sends_so_many_packets_of_whatever_kind(tiny: str) -> None:
    """What is no request counts as well, of the websocket protocol too: beyond it, 1008 and the reason."""
    async with Emitter.opened() as emitter, emitter.client() as client:
        await client.welcome()
        before = limited("packets")
        if tiny == "an empty piece":
            write(client.websocket, Frame(TEXT, b"", fin=False), 1)
        write(client.websocket, TINY[tiny], AT_ONCE - 50)
        await (await client.websocket.ping())  # so many are permitted
        write(client.websocket, TINY[tiny], AT_ONCE)
        assert await reason(client.websocket) == (1008, f"more than {A_SECOND} packets a second")
        assert limited("packets") == before + 1
        await eventually(lambda: counted(emitter) == 0, message="it is not counted any more")
        assert not emitter.hub.subscriptions.everyone()


async def test_a_listener_sends_as_few() -> None:
    """It has nothing to say, but pings."""
    async with Emitter.opened() as emitter, connect(f"ws://{emitter.address}{RAW}", proxy=None) as websocket:
        await websocket.recv()
        before = limited("packets")
        write(websocket, TINY["a ping of the websocket"], 2 * AT_ONCE)
        assert await reason(websocket) == (1008, f"more than {A_SECOND} packets a second")
        assert limited("packets") == before + 1
        await eventually(lambda: counted(emitter) == 0, message="it is not counted any more")


async def test_a_request_has_so_many_packets() -> None:
    """429, before any of them is read, and the session ends: what was in it is lost."""
    async with Emitter.opened() as emitter:
        before = limited("packets")
        session = await opened(emitter)
        assert (await emitter.public.post(session, content="40")).text == "ok"
        assert (await emitter.public.post(session, content="\x1e".join(["3"] * (AT_ONCE - 50)))).text == "ok"
        assert (await emitter.public.post(session, content="\x1e".join(["3"] * 500))).status_code == 429
        assert limited("packets") == before + 1
        assert counted(emitter) == 0
        assert (await emitter.public.get(session)).status_code == 400


async def test_a_burst_of_requests_is_nothing_special() -> None:
    """A stock client that polls sends all that it has been given meanwhile in one request."""
    settings = {"client_topics": ["chat:*"], "client_messages_per_second": 100}
    async with Emitter.opened(**settings) as emitter, emitter.client({"topics": ["chat:lobby"]}) as other:
        await other.welcome()
        session = await opened(emitter)
        before = limited("flood")
        message = {"topic": "chat:lobby", "event": "said", "payload": "x" * 100}
        burst = [f"42{number}{json.dumps(['publish', message])}" for number in range(100)]
        assert (await emitter.public.post(session, content="\x1e".join(["40", *burst]))).text == "ok"
        for _ in range(100):
            assert (await other.event())[0] == "said"
        assert counted(emitter) == 2, "it is there"
        assert limited("flood") == before, "and was not to be sent away"


# Messages in pieces.

PLACEHOLDERS = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(9))


async def test_a_message_has_as_many_bytes_with_its_attachments() -> None:
    """They are all kept until the last one has come: 1008 as soon as they are too much together."""
    async with Emitter.opened(max_payload_bytes=1_000) as emitter, emitter.client() as client:
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
    async with Emitter.opened(request_timeout_ms=200) as emitter, emitter.client() as client:
        await client.welcome()
        before = limited("message_time")
        await client.send(f'459-["nothing",{PLACEHOLDERS}]')
        await client.websocket.send(b"x" * 50_000)
        assert await reason(client.websocket) == (1008, "a message has to come within 0.2 s")
        assert limited("message_time") == before + 1
        assert not emitter.sockets.server._incomplete  # noqa: SLF001  # the memory is tested


@pytest.mark.parametrize("path", [WEBSOCKET, RAW])
@pytest.mark.parametrize(
    "begun",
    [Frame(TEXT, b"4" * 50_000, fin=False).serialize(mask=True), Frame(TEXT, b"4" * 50_000).serialize(mask=True)[:-1]],
    ids=["some of its frames", "some of its frame"],
)
async def test_a_message_has_to_come_to_its_end(path: str, begun: bytes) -> None:
    """The same for the frames of a message, and for the bytes of a frame."""
    async with (
        Emitter.opened(request_timeout_ms=200) as emitter,
        connect(f"ws://{emitter.address}{path}", proxy=None) as websocket,
    ):
        before = limited("message_time")
        websocket.transport.write(begun)
        assert await reason(websocket) == (1008, "a message has to come within 0.2 s")
        assert limited("message_time") == before + 1


async def test_who_sends_without_a_pause_is_not_taken_to_be_in_the_middle_of_something() -> None:
    """Each message has its own time."""
    async with Emitter.opened(request_timeout_ms=400) as emitter, emitter.client() as client:
        await client.welcome()
        before = limited("message_time")
        frame = Frame(TEXT, b"3" + b" " * 1_000).serialize(mask=True)
        pieces = [frame[:500], *[frame[500:] + frame[:500]] * 12]
        for piece in pieces:
            client.websocket.transport.write(piece)
            await asyncio.sleep(0.1)
        client.websocket.transport.write(frame[500:])
        assert (await client.call("nothing"))["error"]["status"] == 404
        assert limited("message_time") == before
