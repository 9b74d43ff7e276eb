"""Real Socket.IO clients, JavaScript and Python, and what they heard."""

import asyncio
import itertools
import json
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import socketio

from tests.tools import require
from tests.waiting import eventually

T = TypeVar("T")

SOCKET_PATH = "/websocket-service"
HEARD_TIMEOUT_S = 30
_TESTS = Path(__file__).parent
_MAX_LINE_BYTES = 1024 * 1024


class Numbered(NamedTuple):
    """A numbered event as a client was given it."""

    event: str
    payload: Any
    meta: Mapping[str, Any]
    offset: str
    at_ms: float

    @property
    def seq(self) -> int:
        """The event's number."""
        return int(self.meta["seq"])


class Hearing:
    """Everything that one client heard, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[dict[str, Any]] = []

    def of(self, what: str) -> list[dict[str, Any]]:
        """Return the lines of one kind: connect, disconnect, connect_error, event or answer."""
        return [line for line in self.lines if line["what"] == what]

    def messages(self, event: str) -> list[Any]:
        """Return the payloads of the messages of one name, such as `welcome`."""
        return [line["args"][0] for line in self.of("event") if line["event"] == event]

    @property
    def numbered(self) -> list[Numbered]:
        """The numbered events: those that carry a payload, what describes it, and an offset."""
        return [
            Numbered(line["event"], line["args"][0], line["args"][1], line["args"][2], line["at_ms"])
            for line in self.of("event")
            if len(line["args"]) == len(("payload", "meta", "offset"))
        ]

    async def welcomed(self, times: int = 1) -> list[Any]:
        """Wait until the client was greeted so many times; it is subscribed from then on."""
        return await self._collected("welcomes", lambda: self.messages("welcome"), times)

    async def dropped(self, times: int = 1) -> list[dict[str, Any]]:
        """Wait until the client has noticed so many times that its connection is gone."""
        return await self._collected("disconnects", lambda: self.of("disconnect"), times)

    async def heard(self, count: int) -> list[Numbered]:
        """Wait until the client has heard so many numbered events, and return all."""
        return await self._collected("events", lambda: self.numbered, count)

    async def received(self, event: str, times: int = 1) -> list[Any]:
        """Wait until the client was sent so many messages of one name, and return their payloads."""
        return await self._collected(f"messages {event}", lambda: self.messages(event), times)

    async def _collected(self, name: str, collect: Callable[[], list[T]], count: int) -> list[T]:
        try:
            await eventually(lambda: len(collect()) >= count, timeout_s=HEARD_TIMEOUT_S, message="")
        except AssertionError:
            raise AssertionError(
                f"{self.name} heard {len(collect())} {name} of {count}; its last lines: {self.lines[-5:]}"
            ) from None
        return collect()


class Listening(ABC):
    """Clients that listen; an async context manager that is entered when all were greeted."""

    def __init__(self, clients: list[Hearing]) -> None:
        self.clients = clients

    async def __aenter__(self) -> Self:
        try:
            await self._open()
            for client in self.clients:
                await client.welcomed()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    @property
    def client(self) -> Hearing:
        """The first client."""
        return self.clients[0]

    @abstractmethod
    async def _open(self) -> None: ...

    @abstractmethod
    async def _close(self) -> None: ...


class NodeListening(Listening):
    """Clients in a Node process that takes commands, and says what they hear, as JSON lines.

    Args:
        script: What runs, in this folder.
        names: What the clients are called.
        arguments: What the script is told.
    """

    def __init__(self, script: str, names: list[str], arguments: dict[str, Any]) -> None:
        super().__init__([Hearing(name) for name in names])
        self._script = script
        self._arguments = arguments
        self._ids = itertools.count()
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    def drop(self, client: int = 0) -> None:
        """Cut one client's connection under it; it comes back by itself."""
        self._say({"do": "drop", "client": client})

    async def _ask(self, client: int, what: str, **command: Any) -> Any:
        number = next(self._ids)
        self._say({"do": what, "client": client, "id": number, **command})
        hearing = self.clients[client]
        return await eventually(
            lambda: next((line["answer"] for line in hearing.of("answer") if line["id"] == number), None),
            message=f"{hearing.name} is answered on {what}",
        )

    async def _open(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            require("node", "install Node.js"),
            *(_TESTS / self._script, json.dumps(self._arguments)),
            stdin=PIPE,
            stdout=PIPE,
            limit=_MAX_LINE_BYTES,
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said = json.loads(line)
            self.clients[said["client"]].lines.append(said)

    def _say(self, command: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _close(self) -> None:
        if self._process is None or self._reading is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


class Listener(NodeListening):
    """Stock JavaScript clients in a Node process.

    Args:
        url: The origin they connect to.
        count: How many clients.
        options: Further options of the JavaScript client's `io()`, as JavaScript spells them.
    """

    def __init__(self, url: str, *, count: int = 1, **options: Any) -> None:
        arguments = {"url": url, "count": count, "options": {"path": SOCKET_PATH, **options}}
        super().__init__("listener.mjs", [f"JavaScript client {index}" for index in range(count)], arguments)

    def leave(self, client: int = 0) -> None:
        """Cut one client's connection under it, and keep it from coming back, as where a network is away."""
        self._say({"do": "leave", "client": client})

    def enter(self, client: int = 0) -> None:
        """Let it come back, which it does by itself."""
        self._say({"do": "enter", "client": client})

    async def emit(self, event: str, *args: Any, client: int = 0) -> Any:
        """Let one client emit and return the acknowledgement."""
        return await self._ask(client, "emit", event=event, args=args)


class PythonListener(Listening):
    """The stock Python client.

    It does what is asked of a client that cannot recover by itself: `auth` is a function that names the last offset.

    Args:
        url: The origin it connects to.
        after: The offset after which it wants to hear everything, from its first connection on.
    """

    def __init__(self, url: str, after: str | None = None) -> None:
        super().__init__([Hearing("Python client")])
        self._url = url
        self._after = after
        self._sio = socketio.AsyncClient(reconnection_delay=0.5)
        for what in ("connect", "disconnect", "connect_error"):
            self._sio.on(what, self._noting(what))
        self._sio.on("*", self._note_event)

    async def _open(self) -> None:
        await self._sio.connect(self._url, socketio_path=SOCKET_PATH, auth=self._auth, wait_timeout=HEARD_TIMEOUT_S)

    async def _close(self) -> None:
        await self._sio.shutdown()

    def _auth(self) -> dict[str, str]:
        heard = self.client.numbered
        after = heard[-1].offset if heard else self._after
        return {"after": after} if after else {}

    def _noting(self, what: str) -> Callable[..., None]:
        def note(*details: Any) -> None:
            self._note(what, details=details)

        return note

    def _note_event(self, event: str, *args: Any) -> None:
        self._note("event", event=event, args=args)

    def _note(self, what: str, **details: Any) -> None:
        self.client.lines.append({"what": what, "at_ms": time.time_ns() / 1e6, **details})
