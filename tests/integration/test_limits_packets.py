"""How much a client may send of what is no request, and in how many pieces: what it is told, and what is counted."""

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from tests.integration.emitter import Emitter, RawClient
from tests.limits import limited
from tests.waiting import eventually
from ws_service.limits.allowance import PACKETS_PER_MESSAGE
from ws_service.messages.dispatch import Dispatch

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
    async with asyncio.timeout(10):
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
        message = {"topic": "chat:lobby", "event": "said", "payload": "x" * 100}
        before = limited("flood")
        burst = [f"42{number}{json.dumps(['publish', message])}" for number in range(100)]
        assert (await emitter.public.post(session, content="\x1e".join(["40", *burst]))).text == "ok"
        for _ in range(100):
            assert (await other.event())[0] == "said"
        assert limited("flood") == before
        assert counted(emitter) == 2, "it is there, and was not sent away"


# What they were asked for.

QUESTIONS = 200
PICTURES = '[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'


async def ask(emitter: Emitter) -> int:
    """Ask all clients once, and return how many have answered."""
    answer = await emitter.courier.send(Dispatch("picture", b"1", ack_timeout_ms=60_000))
    return len(answer.acks or ())


async def acknowledge(client: RawClient, *, in_pieces: bool) -> None:
    number, _ = await client.asked()
    if not in_pieces:
        await client.acknowledge(number, "shown")
        return
    await client.send(f"462-{number}{PICTURES}")
    for _ in range(2):
        await client.websocket.send(b"x")


@pytest.mark.parametrize("in_pieces", [False, True], ids=["text", "with attachments"])
async def test_who_answers_what_it_is_asked_is_not_sent_away_for_it(*, in_pieces: bool) -> None:
    """However fast the emitter asks, the answers are free, with all their attachments; what is unasked is as few."""
    async with Emitter.opened(client_messages_per_second=1) as emitter, emitter.client() as client:
        await client.welcome()
        before = limited("packets")
        for _ in range(QUESTIONS // 20):
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(ask(emitter)) for _ in range(20)]
                for _ in asked:
                    await acknowledge(client, in_pieces=in_pieces)
            assert [each.result() for each in asked] == [1] * 20
        assert limited("packets") == before
        write(client.websocket, TINY["an acknowledgement"], QUESTIONS)
        assert await reason(client.websocket) == (1008, f"more than {PACKETS_PER_MESSAGE} packets a second")


async def test_pongs_are_free() -> None:
    """A client has no say in how often it is pinged."""
    async with Emitter.opened(client_messages_per_second=1, ping_interval_ms=10) as emitter, emitter.client() as client:
        before = limited("packets")
        answered = 0
        while answered < QUESTIONS:
            if await client.websocket.recv() == "2":
                await client.send("3")
                answered += 1
        assert limited("packets") == before
        assert counted(emitter) == 1


@pytest.mark.parametrize("over", ["long-polling", "a websocket"])
async def test_answers_of_who_polls_are_free(over: str) -> None:
    """All that one poll asked for come in one request, or by the websocket that has taken over meanwhile."""
    async with Emitter.opened(client_messages_per_second=1) as emitter:
        session = await opened(emitter)
        assert (await emitter.public.post(session, content="40")).text == "ok"
        await eventually(emitter.hub.subscriptions.everyone, message="it is connected")
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(emitter)) for _ in range(QUESTIONS)]
            await asyncio.sleep(0)
            await emitter.public.get(session)
            answers = [f'43{number}["shown"]' for number in range(QUESTIONS)]
            if over == "long-polling":
                assert (await emitter.public.post(session, content="\x1e".join(answers))).text == "ok"
            else:
                await answer_over_websocket(emitter, session, answers)
        assert [each.result() for each in asked] == [1] * QUESTIONS


async def answer_over_websocket(emitter: Emitter, session: str, answers: list[str]) -> None:
    url = f"ws://{emitter.address}{session.replace('polling', 'websocket')}"
    async with connect(url, proxy=None) as websocket:
        for packet in ("2probe", "5", *answers):
            await websocket.send(packet)
        # Whoever reads this has read what came before it.
        await (await websocket.ping())


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
