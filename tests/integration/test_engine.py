import asyncio
import contextlib
from collections.abc import AsyncIterator

import engineio
import httpx
import pytest
import socketio
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import StartupError
from shared.serving.http import seams
from shared.serving.http.protocol import HttpProtocol
from tests.events import event, live
from tests.integration.emitter import Emitter
from tests.waiting import eventually
from ws_service.engine import json
from ws_service.engine.packets import encode_part
from ws_service.engine.seams import SEAMS
from ws_service.ingest.entry import Entry
from ws_service.ingest.outgoing import Outgoing, Part


class Broken:
    """A transport that cannot be written to."""

    def send(self, _packets: object) -> None:
        """Fail."""
        raise RuntimeError("the handler is closed")

    def close(self, *, at_once: bool, why: str) -> bool:
        """Have nothing to close."""
        return not at_once and not why


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open()
        yield emitter


def test_the_private_seams_are_those_that_were_read() -> None:
    """The engine reaches into private parts of these libraries, so that another version has to be read first."""
    for owner, name in [
        (socketio.AsyncServer, "_engineio_server_class"),
        (socketio.AsyncManager, "get_participants"),
        (engineio.AsyncServer, "_cors_allowed_origins"),
        (engineio.AsyncServer, "_cors_headers"),
        *[(HttpToolsProtocol, name) for name in vars(HttpProtocol) if name.startswith("on_")],
        (HttpToolsProtocol, "data_received"),
        (HttpToolsProtocol, "timeout_keep_alive_handler"),
        (HttpToolsProtocol, "_unset_keepalive_if_required"),
        (HttpToolsProtocol, "_should_upgrade"),
    ]:
        assert callable(getattr(owner, name))


def test_a_version_that_was_not_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emitter on other versions says so in one line at its start, instead of failing in the middle of something."""
    monkeypatch.setattr(seams, "version", lambda _: "99.0")
    with pytest.raises(StartupError, match=r"python-socketio 99\.0 is installed, and Storecast was made for 5\.18\.x"):
        seams.check_versions(SEAMS)


async def test_the_connect_answer_carries_the_pid_and_comes_first(emitter: Emitter) -> None:
    """The stock JavaScript client can only recover with a pid, and takes events after CONNECT alone."""
    async with emitter.client() as client:
        answer = await client.connected()
        assert answer["pid"].startswith("e1:0:")
        assert answer["sid"]


async def test_a_second_connect_ends_the_session(emitter: Emitter) -> None:
    """A client that sends CONNECT twice is out of step; as in Node, its connection is closed."""
    async with emitter.client() as client:
        await client.welcome()
        await client.send("40")
        await client.closed()


async def test_another_namespace_is_refused(emitter: Emitter) -> None:
    """There is one namespace, and a socket of another one is not taken."""
    async with emitter.client() as client:
        await client.welcome()
        await client.send("40/admin,")
        assert (await client.receive()).startswith("44/admin,")


async def test_a_client_that_goes_while_it_is_being_connected_leaves_nothing_behind() -> None:
    """No session, no subscription and no task may stay of a client that went before its CONNECT was answered."""
    async with Emitter.running() as emitter:
        engine = emitter.sockets.server.eio
        async with emitter.client() as client:
            await eventually(lambda: engine._tasks, message="the CONNECT waits")  # noqa: SLF001  # the memory is tested
            await client.websocket.close()
        await eventually(lambda: not (engine.sockets or engine._tasks), message="the engine has noticed")  # noqa: SLF001
        await emitter.open()
        assert len(emitter.hub.subscriptions.everyone()) == 0
        assert not emitter.sockets._connections  # noqa: SLF001  # the memory is tested


async def test_a_polling_clients_transport_can_be_closed(emitter: Emitter) -> None:
    """A client that cannot open a websocket is cut off in the same way: its poll ends, its session is gone."""
    path = "/websocket-service/?EIO=4&transport=polling"
    opened = json.loads((await emitter.http.get(path)).text[1:])
    session = f"{path}&sid={opened['sid']}"
    await emitter.http.post(session, content="40")
    await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 1, message="the socket is taken")
    await emitter.http.get(session)
    waiting = asyncio.create_task(emitter.http.get(session))
    polling = emitter.sockets.server.eio.sockets[opened["sid"]]
    await eventually(lambda: polling.transport._poll is not None, message="the poll waits")  # noqa: SLF001
    polling.drop()
    assert (await asyncio.wait_for(waiting, 30)).text == "1"
    assert len(emitter.hub.subscriptions.everyone()) == 0
    gone: httpx.Response = await emitter.http.get(session)
    assert gone.status_code == 400


async def test_the_librarys_own_emit_reaches_its_clients(emitter: Emitter) -> None:
    """Whoever has python-socketio's server in hand can use it as documented: to everyone, or to one client."""
    async with emitter.client() as one, emitter.client() as other:
        sid = (await one.connected())["sid"]
        await one.event()
        await other.welcome()
        await emitter.sockets.server.emit("hello", {"to": "everyone"})
        await emitter.sockets.server.emit("hello", {"to": "one"}, to=sid)
        await emitter.sockets.server.emit("hello", {}, to="nobody")
        assert [await one.event(), await one.event()] == [["hello", {"to": "everyone"}], ["hello", {"to": "one"}]]
        assert await other.event() == ["hello", {"to": "everyone"}]


async def test_a_transport_that_fails_costs_nobody_else_an_event(
    emitter: Emitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event is written to one socket after the other: the failure of one of them is its own, and it comes back."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(emitter.client()) for _ in range(5)]
        for client in clients:
            await client.welcome()
        broken = list(emitter.sockets.server.eio.sockets.values())[2]
        monkeypatch.setattr(broken, "transport", Broken())
        await emitter.post(live(1, 1))
        await emitter.post(live(2, 2))
        assert broken.is_closed
        for client in [*clients[:2], *clients[3:]]:
            assert await client.seqs(2) == [1, 2]


def test_json_is_compact_and_exact() -> None:
    """What goes out has no white space; what comes in is JSON and nothing more."""
    assert json.dumps({"a": [1, "ä"]}, separators=(",", ":")) == '{"a":[1,"ä"]}'
    with pytest.raises(ValueError, match="unexpected"):
        json.loads("NaN")


def test_events_are_framed_once_for_both_transports() -> None:
    """A part is the same bytes for a thousand websockets, and the same packets for who polls."""
    part = [Outgoing(Entry.of(event(seq)), f"e1:{seq}") for seq in (1, 2)]
    packets = encode_part(Part(part))
    first = b'42["new_product",{"n":1},{"seq":1,"id":"id-1","time":"2026-01-01T00:00:00.000Z"},"e1:1"]'
    second = b'42["new_product",{"n":2},{"seq":2,"id":"id-2","time":"2026-01-01T00:00:00.000Z"},"e1:2"]'
    assert packets.payload == first + b"\x1e" + second
    assert packets.frames.startswith(bytes([0x81, len(first)]) + first)
