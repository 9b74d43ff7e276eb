"""A real emitter on a real port, in this process, so that a test can look inside; and plain clients of it."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from shared.emitter_api import EVENTS_PATH, Batch
from shared.identity.tokens import Tokens
from tests.events import closing, history
from tests.waiting import eventually
from ws_service.app import create_app
from ws_service.cluster.nodes import Nodes
from ws_service.engine.asgi import SocketApp
from ws_service.ingest.hub import Hub
from ws_service.messages.courier import Courier
from ws_service.server import create_server
from ws_service.settings import Settings
from ws_service.sockets.sockets import Sockets

SECRET = "a secret of sixteen or more"
_HEARD_TIMEOUT_S = 30


# All clients of the tests come from one address.
_ANY_NUMBER = {"max_connections_per_address": 0, "handshakes_per_second": 0}


def settings(**fields: Any) -> Settings:
    own = {"emitter_secret": SECRET, "instance": "emitter-1", "auth": "off"}
    return Settings.model_validate({**own, **_ANY_NUMBER, **fields})


class Emitter:
    """A running emitter, the relay's end of its calls, and the public's. `state` is its application's, if here."""

    def __init__(self, address: str, state: Any, http: httpx.AsyncClient, public: httpx.AsyncClient) -> None:
        self.address = address
        self.http = http
        self.public = public
        self._state = state

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, **fields: Any) -> AsyncIterator[Self]:
        """Run one on a free port until the context ends."""
        app = create_app(settings(**fields))
        state = app.other_asgi_app.state
        server = create_server(settings(**fields), app)
        listener = socket.create_server(("127.0.0.1", 0))
        # asyncio's own loop leaves Nagle's algorithm on for such sockets, which costs 40 ms an answer; uvloop does not.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(_serve(app, server, listener))
        headers = {"Authorization": f"Bearer {SECRET}"}
        try:
            async with (
                httpx.AsyncClient(
                    base_url=f"http://{address}", headers=headers, trust_env=False, timeout=_HEARD_TIMEOUT_S
                ) as http,
                httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=_HEARD_TIMEOUT_S) as public,
            ):
                await eventually(lambda: server.started, message="the emitter listens")
                yield cls(address, state, http, public)
        finally:
            server.should_exit = True
            await serving

    @property
    def hub(self) -> Hub:
        """What it knows."""
        hub: Hub = self._state.hub
        return hub

    @property
    def sockets(self) -> Sockets:
        """Its Socket.IO clients."""
        sockets: Sockets = self._state.sockets
        return sockets

    @property
    def nodes(self) -> Nodes:
        """Which emitters it hears."""
        nodes: Nodes = self._state.nodes
        return nodes

    @property
    def courier(self) -> Courier:
        """What brings messages to its clients."""
        courier: Courier = self._state.courier
        return courier

    @property
    def tokens(self) -> Tokens:
        """What reads tokens."""
        tokens: Tokens = self._state.tokens
        return tokens

    async def post(self, batch: Batch) -> httpx.Response:
        """Hand a batch over as the relay does."""
        return await self.http.post(EVENTS_PATH, content=batch.model_dump_json())

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, **fields: Any) -> AsyncIterator[Self]:
        """Run one that was handed an empty history."""
        async with cls.running(**fields) as emitter:
            await emitter.open()
            yield emitter

    async def open(self, *batches: Batch, position: int = 0) -> None:
        """Hand history over and close it."""
        for batch in [*batches, closing(position)]:
            assert (await self.post(batch)).status_code == 200

    async def open_with(self, last: int) -> None:
        """Open with the events 1 to `last` as history."""
        await self.open(history(1, last), position=last)

    @contextlib.asynccontextmanager
    async def client(self, auth: Any = None) -> AsyncIterator["RawClient"]:
        """Connect a websocket that speaks Engine.IO and Socket.IO by hand, and send CONNECT."""
        url = f"ws://{self.address}/websocket-service/?EIO=4&transport=websocket"
        async with connect(url, proxy=None) as websocket:
            client = RawClient(websocket)
            await client.receive()  # Engine.IO's open packet
            await client.send("40" + ("" if auth is None else json.dumps(auth)))
            yield client


async def _serve(app: SocketApp, server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        async with app.other_asgi_app.router.lifespan_context(app.other_asgi_app):
            await server.serve(sockets=[listener])
    finally:
        # uvicorn closes what it listens on where it is told to end, not where what stands behind it fails.
        for each in getattr(server, "servers", ()):
            each.close()
        listener.close()


class RawClient:
    """A client that sees every packet as it came (Engine.IO protocol 4, Socket.IO protocol 5)."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        # The socket's public id, once it is connected.
        self.sid: str | None = None

    async def send(self, packet: str) -> None:
        """Send a packet."""
        await self.websocket.send(packet)

    async def receive(self) -> str:
        """Return the next packet, in text, that is no ping."""
        async with asyncio.timeout(_HEARD_TIMEOUT_S):
            while True:
                packet = await self.websocket.recv()
                if packet != "2":
                    return str(packet)
                await self.websocket.send("3")

    async def connected(self) -> dict[str, Any]:
        """Return the data of the CONNECT answer that comes next."""
        packet = await self.receive()
        assert packet.startswith("40"), packet
        answer = dict(json.loads(packet[2:]))
        self.sid = answer["sid"]
        return answer

    async def refused(self) -> dict[str, Any]:
        """Return the data of the CONNECT_ERROR that comes next."""
        packet = await self.receive()
        assert packet.startswith("44"), packet
        return dict(json.loads(packet[2:]))

    async def event(self) -> list[Any]:
        """Return the name and the arguments of the event that comes next."""
        packet = await self.receive()
        assert packet.startswith("42"), packet
        return list(json.loads(packet[2:]))

    async def asked(self) -> tuple[int, list[Any]]:
        """Return the next event, which wants to be acknowledged, and the number to do it with."""
        number, bracket, arguments = (await self.receive()).removeprefix("42").partition("[")
        return int(number), list(json.loads(bracket + arguments))

    async def acknowledge(self, number: int, *arguments: Any) -> None:
        """Acknowledge an event."""
        await self.send(f"43{number}{json.dumps(arguments)}")

    async def seqs(self, count: int) -> list[int]:
        """Return the numbers of the next events."""
        return [(await self.event())[2]["seq"] for _ in range(count)]

    async def welcome(self) -> dict[str, Any]:
        """Take the CONNECT answer and return the greeting."""
        await self.connected()
        name, greeting = await self.event()
        assert name == "welcome"
        return dict(greeting)

    async def say(self, event: str, *arguments: Any) -> None:
        """Send an event that wants no acknowledgement."""
        await self.send("42" + json.dumps([event, *arguments]))

    async def call(self, event: str, *arguments: Any) -> Any:
        """Send an event and return its acknowledgement, which comes next."""
        await self.send("421" + json.dumps([event, *arguments]))
        packet = await self.receive()
        assert packet.startswith("431"), packet
        return json.loads(packet[3:])[0]

    async def closed(self) -> None:
        """Wait until the server has closed the connection."""
        async with asyncio.timeout(_HEARD_TIMEOUT_S):
            await self.websocket.wait_closed()
