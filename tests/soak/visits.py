"""What clients do all day: come, subscribe, hear something, and go in one way or another."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

_STAYS = range(4, 29)  # how many events a visitor stays for
_WAIT_S = 60
_CONNECT, _DISCONNECT, _SUBSCRIBE = "40", "41", '421["subscribe",{"topics":["category:books"]}]'
_EVENT, _ANSWER, _PING, _PONG = "42", "431", "2", "3"
_SEPARATOR = "\x1e"  # between the packets of one poll (Engine.IO protocol 4)


class Visits:
    """Visits of one emitter; `heard` and `paid` count events and visits.

    Args:
        address: Host and port of the emitter.
        path: Where its sockets are.
    """

    def __init__(self, address: str, path: str) -> None:
        self.paid = 0
        self.heard = 0
        self._address = address
        self._path = path
        self._offset = ""
        self._ways: list[Callable[[int], Awaitable[None]]] = [self._close, self._disconnect, self._vanish, self._poll]

    async def go_on(self, visitor: int) -> None:
        """Pay one visit after the other, each in the next way, until cancelled."""
        for number in itertools.count(visitor):
            stay = _STAYS[number * visitor % len(_STAYS)]
            async with asyncio.timeout(_WAIT_S):
                await self._ways[number % len(self._ways)](stay)
            self.paid += 1

    async def _close(self, stay: int) -> None:
        async with self._websocket() as websocket:
            await self._listen(websocket, stay)

    async def _disconnect(self, stay: int) -> None:
        async with self._websocket() as websocket:
            await self._listen(websocket, stay)
            await websocket.send(_DISCONNECT)
            # The server may close or not: what counts is that it forgets the client.

    async def _vanish(self, stay: int) -> None:
        async with self._websocket() as websocket:
            await self._listen(websocket, stay)
            websocket.transport.abort()

    async def _poll(self, stay: int) -> None:
        """Come by long-polling and never close: the emitter has to notice by itself."""
        url = f"http://{self._address}{self._path}/"
        params = {"EIO": "4", "transport": "polling"}
        async with httpx.AsyncClient(trust_env=False, timeout=_WAIT_S) as http:
            opened = await http.get(url, params=params)
            params["sid"] = json.loads(opened.text[1:])["sid"]
            for packet in (self._hello(), _SUBSCRIBE):
                assert (await http.post(url, params=params, content=packet)).is_success
            heard = 0
            while heard < stay:
                packets = (await http.get(url, params=params)).text.split(_SEPARATOR)
                heard += sum(self._is_numbered(packet) for packet in packets)
                if _PING in packets:
                    await http.post(url, params=params, content=_PONG)

    async def _listen(self, websocket: ClientConnection, stay: int) -> None:
        await websocket.recv()  # Engine.IO's open packet
        await websocket.send(self._hello())
        await websocket.send(_SUBSCRIBE)
        heard, answered = 0, False
        while heard < stay or not answered:
            packet = str(await websocket.recv())
            heard += self._is_numbered(packet)
            answered |= packet.startswith(_ANSWER)
            if packet == _PING:
                await websocket.send(_PONG)

    def _hello(self) -> str:
        # Some have been here before, and have missed a little.
        return _CONNECT + (json.dumps({"after": self._offset}) if self._offset and self.paid % 2 else "")

    def _is_numbered(self, packet: str) -> bool:
        arguments: list[Any] = json.loads(packet[2:]) if packet.startswith(_EVENT) else []
        if len(arguments) != len(("event", "payload", "meta", "offset")):
            return False
        self._offset = arguments[-1]
        self.heard += 1
        return True

    def _websocket(self) -> connect:
        url = f"ws://{self._address}{self._path}/?EIO=4&transport=websocket"
        return connect(url, proxy=None, compression=None, ping_interval=None)
