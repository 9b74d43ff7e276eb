import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version

import engineio
import httpx
import pytest
import socketio

from tests.events import event, live
from tests.integration.emitter import Emitter
from tests.waiting import eventually
from ws_service.engine import json
from ws_service.engine.frames import MAX_FRAMES, Frames


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open()
        yield emitter


def test_the_private_seams_are_those_that_were_read() -> None:
    """The engine reaches into private parts of these two libraries, so that another version has to be read first."""
    assert version("python-socketio").startswith("5.18.")
    assert version("python-engineio").startswith("4.15.")
    for owner, name in [
        (socketio.AsyncServer, "_send_packet"),
        (socketio.AsyncServer, "_handle_connect"),
        (socketio.AsyncServer, "_handle_disconnect"),
        (engineio.async_socket.AsyncSocket, "close"),
    ]:
        assert callable(getattr(owner, name))


async def test_the_connect_answer_carries_the_pid_and_comes_first(emitter: Emitter) -> None:
    """The stock JavaScript client can only recover with a pid, and takes events after CONNECT alone."""
    async with emitter.client() as client:
        answer = await client.connected()
        assert answer["pid"].startswith("e1:0:")
        assert answer["sid"]


async def test_a_second_connect_is_refused_and_changes_nothing(emitter: Emitter) -> None:
    """A client that sends CONNECT twice is not written to twice."""
    async with emitter.client() as client:
        await client.welcome()
        await client.send("40")
        assert (await client.receive()).startswith("44")
        await emitter.post(live(1, 2))
        assert await client.seqs(2) == [1, 2]


async def test_another_namespace_is_refused(emitter: Emitter) -> None:
    """There is one namespace, and a socket of another one is not taken."""
    async with emitter.client() as client:
        await client.welcome()
        await client.send("40/admin,")
        assert (await client.receive()).startswith("44/admin,")


async def test_a_client_that_goes_while_it_is_being_connected_leaves_nothing_behind() -> None:
    """The library does not report such a disconnect; no subscription and no writer may stay."""
    async with Emitter.running() as emitter:
        async with emitter.client() as client:
            await client.websocket.close()
        await emitter.open()
        await eventually(lambda: not emitter.sockets.server.environ, message="the engine has noticed")
        await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 0, message="nothing is left")
        assert not emitter.sockets._connections  # noqa: SLF001  # the memory is what is tested


async def test_a_polling_clients_transport_can_be_closed(emitter: Emitter) -> None:
    """A client that cannot open a websocket is cut off in the same way: its poll ends, its session is gone."""
    path = "/websocket-service/?EIO=4&transport=polling"
    opened = json.loads((await emitter.http.get(path)).text[1:])
    session = f"{path}&sid={opened['sid']}"
    await emitter.http.post(session, content="40")
    await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 1, message="the socket is taken")
    [sid] = emitter.sockets._connections  # noqa: SLF001  # what the server calls it
    await emitter.http.get(session)
    waiting = asyncio.create_task(emitter.http.get(session))
    await emitter.sockets.server.close_transport(sid)
    await asyncio.wait_for(waiting, 5)
    assert len(emitter.hub.subscriptions.everyone()) == 0
    gone: httpx.Response = await emitter.http.get(session)
    assert gone.status_code == 400


async def test_a_socket_that_is_gone_can_neither_be_waited_for_nor_closed(emitter: Emitter) -> None:
    """What comes too late is passed over."""
    await emitter.sockets.server.drained("nobody")
    await emitter.sockets.server.close_transport("nobody")
    await emitter.sockets.server.send("nobody", "event", {})


def test_json_is_compact_and_exact() -> None:
    """What goes out has no white space; what comes in is JSON and nothing more."""
    assert json.dumps({"a": [1, "ä"]}, separators=(",", ":")) == '{"a":[1,"ä"]}'
    with pytest.raises(ValueError, match="unexpected"):
        json.loads("NaN")


def test_an_event_is_encoded_once_for_all_sockets() -> None:
    """What is sent to a thousand sockets is made once, and what is remembered of it is bounded."""
    frames = Frames()
    first = event(1)
    assert frames.of(first, "e1:1") is frames.of(first, "e1:1")
    assert frames.of(first, "e1:1").encode() == (
        '42["new_product",{"n":1},{"seq":1,"id":"id-1","time":"2026-01-01T00:00:00.000Z"},"e1:1"]'
    )
    assert frames.of(first, "e1:9") is not frames.of(first, "e1:1"), "a replay's offset is the socket's own"
    remembered = frames.of(first, "e1:1")
    for seq in range(2, MAX_FRAMES + 2):
        frames.of(event(seq), f"e1:{seq}")
    assert frames.of(first, "e1:1") is not remembered
