"""Plays a script against one server and notes what came back, so that two servers can be compared."""

import asyncio
import contextlib
import json
from typing import Any

from tests.protocol.http import DROPPED, PATH, Response, read_response, request
from tests.protocol.normal import describe
from tests.protocol.websocket import WebSocket

POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}

_DEADLINE_S = 5
_MOST_POLLS = 5


class Player:
    """One script's way to one server.

    Args:
        port: Where the server listens on 127.0.0.1.
        patience_s: How long nothing must come for the script to take it that nothing will.
    """

    def __init__(self, port: int, patience_s: float) -> None:
        self.port = port
        self.patience_s = patience_s
        self.notes: list[str] = []
        self._open: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._polls: dict[str, asyncio.Task[Response | None]] = {}

    def note(self, what: str) -> None:
        """Add a line to what is compared."""
        self.notes.append(what)

    async def close(self) -> None:
        """Close every connection that was made."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._open:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a TCP connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._open.append(writer)
        return reader, writer

    # --- HTTP

    async def ask(self, method: str, query: str, body: bytes | str | None = None, **headers: str) -> Response | None:
        """Make one request; return None where no answer comes. An underscore in a header's name stands for a hyphen."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body.encode() if isinstance(body, str) else body
        return await self.ask_raw(request(method, f"{PATH}?{query}" if query else PATH, given, content))

    async def ask_raw(self, data: bytes) -> Response | None:
        """Send bytes on a connection of their own and return the answer, None where none comes."""
        # A poll that waits is an answer too: nothing came within the time in which everything else does.
        return await self._ask_raw(data, 2 * self.patience_s)

    async def _ask_raw(self, data: bytes, timeout_s: float) -> Response | None:
        reader, writer = await self.connection()
        writer.write(data)
        try:
            async with asyncio.timeout(timeout_s):
                return await read_response(reader, has_body=not data.startswith(b"HEAD"))
        except TimeoutError:
            return None
        except (EOFError, ConnectionError):
            return DROPPED

    async def http(self, method: str, query: str, body: bytes | str | None = None, **headers: str) -> Response | None:
        """Make one request and note the answer."""
        response = await self.ask(method, query, body, **headers)
        self.note(f"{method}: {describe(response)}")
        return response

    def start(self, method: str, query: str) -> asyncio.Task[Response | None]:
        """Make a request whose answer is a long time in coming."""
        task = asyncio.create_task(self._ask_raw(request(method, f"{PATH}?{query}"), _DEADLINE_S))
        self._tasks.append(task)
        return task

    async def session(self, *, connected: bool = True) -> str:
        """Open a session by polling and return its query; unless told otherwise, as a connected Socket.IO client."""
        response = await self.ask("GET", POLLING)
        assert response is not None
        assert response.status == 200, response
        query = f"{POLLING}&sid={json.loads(response.body[1:])['sid']}"
        if connected:
            await self.ask("POST", query, "40")
            heard = b""
            while b'42["welcome"' not in heard:
                response = await self.ask("GET", query)
                assert response is not None
                assert response.status == 200, response
                heard += response.body
        return query

    async def alive(self, query: str) -> None:
        """Note whether a session is still known, in a way that changes nothing."""
        response = await self.ask("POST", query, "3")
        answers = {200: "open", 400: "gone"}
        self.note("the session " + (f"is {answers.get(response.status, '?')}" if response else "does not answer"))

    async def drain(self, query: str) -> None:
        """Poll until nothing more comes, or the session has ended, and note the packets."""
        for _ in range(_MOST_POLLS):
            if not (response := await self._poll(query)):
                return
            self.note(f"poll: {describe(response)}")
            if response.status != 200:
                return

    async def _poll(self, query: str) -> Response | None:
        """Poll, or go on with the poll that still waits; return None if nothing comes."""
        poll = self._polls.get(query) or self.start("GET", query)
        self._polls[query] = poll
        done, _ = await asyncio.wait([poll], timeout=2 * self.patience_s)
        return self._polls.pop(query).result() if done else None

    # --- websocket

    async def websocket(
        self, query: str = WEBSOCKET, behind: bytes = b"", headers: dict[str, str] | None = None
    ) -> WebSocket:
        """Open a websocket and note how the handshake was answered, if it was refused.

        Args:
            query: Of the request.
            behind: What is sent in the same write.
            headers: Others than usual; an empty one is left out.
        """
        reader, writer = await self.connection()
        chosen = {name: value for name, value in {**UPGRADE, **(headers or {})}.items() if value}
        writer.write(request("GET", f"{PATH}?{query}", chosen) + behind)
        socket = WebSocket(reader, writer, self.note, self.patience_s)
        try:
            async with asyncio.timeout(_DEADLINE_S):
                response = await read_response(reader)
            socket.refused = response.status != 101
            if socket.refused:
                # No browser shows the page more than this.
                self.note(f"handshake: {response.status}")
        except (EOFError, ConnectionError):
            self.note("handshake: dropped")
            socket.refused = True
        if not socket.refused:
            self._tasks.append(asyncio.create_task(socket.read()))
        return socket

    async def client(self, auth: str = "") -> WebSocket:
        """Open a websocket as a Socket.IO client that has been greeted."""
        socket = await self.websocket()
        await socket.until("0{")
        socket.send(f"40{auth}")
        await socket.until('42["welcome"')
        socket.forget()
        return socket
