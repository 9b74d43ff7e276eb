"""The websocket underneath (RFC 6455): frames that no library would send."""

import asyncio

from tests.protocol.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, close, frame, text
from tests.protocol.player import Player
from tests.protocol.script import Play, Scripts
from tests.protocol.servers import MAX_PAYLOAD_BYTES

SCRIPTS = Scripts()

ASK = b'427["what is this"]'


def _sends(data: bytes) -> Play:
    """Send this as a client that has been greeted."""

    async def play(player: Player) -> None:
        socket = await player.client()
        socket.send_raw(data)
        await socket.settle(fence=False)

    return play


def _fragments(*parts: bytes, between: bytes = b"") -> bytes:
    first, *others = parts
    opcodes = [TEXT] + [CONTINUATION] * len(others)
    frames = [
        frame(opcode, part, fin=index == len(others))
        for index, (opcode, part) in enumerate(zip(opcodes, [first, *others], strict=True))
    ]
    return between.join(frames)


for name, data in {
    "an unmasked frame": frame(TEXT, ASK, masked=False),
    "an unmasked ping": frame(PING, b"x", masked=False),
    "a message as large as is allowed": text(ASK.decode().ljust(MAX_PAYLOAD_BYTES)),
    "a message one byte too large": text(ASK.decode().ljust(MAX_PAYLOAD_BYTES + 1)),
    "a message that claims to be huge": frame(TEXT, b"4", length=1 << 40),
    "a message whose length has its first bit set": frame(TEXT, b"4", length=1 << 63),
    "fragments that are too large together": _fragments(*[b"4" * (MAX_PAYLOAD_BYTES // 2)] * 3),
    "a message in fragments": _fragments(ASK[:5], ASK[5:]),
    "a message in many fragments": _fragments(*(ASK[index : index + 1] for index in range(len(ASK)))),
    "a message in fragments of which some are empty": _fragments(b"", ASK[:5], b"", ASK[5:], b""),
    "a message in fragments that cut a character": _fragments('427["é'.encode()[:-1], '427["é"]'.encode()[7:]),
    "a ping between fragments": _fragments(ASK[:5], ASK[5:], between=frame(PING, b"x")),
    "a Close between fragments": _fragments(ASK[:5], ASK[5:], between=close(1000)),
    "a message between fragments": _fragments(ASK[:5], ASK[5:], between=text("3")),
    "fragments that are never completed": frame(TEXT, ASK, fin=False),
    "a continuation of nothing": frame(CONTINUATION, ASK),
    "a frame with RSV1": frame(TEXT | RSV1, ASK),
    "a frame with RSV2": frame(TEXT | (RSV1 >> 1), ASK),
    "a frame with RSV3": frame(TEXT | (RSV1 >> 2), ASK),
    "a ping with RSV1": frame(PING | RSV1, b"x"),
    "an unknown opcode": frame(0x3, ASK),
    "an unknown control opcode": frame(0xB, b"x"),
    "a ping": frame(PING, b"x"),
    "a ping without data": frame(PING),
    "a ping with 125 bytes": frame(PING, b"x" * 125),
    "a ping with 126 bytes": frame(PING, b"x" * 126),
    "a ping in fragments": frame(PING, b"x", fin=False),
    "a pong that nobody asked for": frame(PONG, b"x"),
    "a thousand pings": frame(PING, b"x") * 1000,
    "text that is not UTF-8": frame(TEXT, b'427["\xff"]'),
    "text with a surrogate": frame(TEXT, b'427["\xed\xa0\x80"]'),
    "text that is too long UTF-8": frame(TEXT, b'427["\xc0\x80"]'),
    "text that ends within a character": frame(TEXT, b"427\xc3"),
    "an empty text": frame(TEXT),
    "an empty binary message": frame(BINARY),
    "a Close without a code": frame(CLOSE),
    "a Close with half a code": frame(CLOSE, b"\x03"),
    "a Close with 1000": close(1000),
    "a Close with a reason": close(1000, b"bye"),
    "a Close with a reason that is not UTF-8": close(1000, b"\xff"),
    "a Close that is too long": close(1000, b"x" * 124),
    "a message behind a Close": close(1000) + text(ASK.decode()),
    "a message and then a bad frame": text(ASK.decode()) + frame(0x3),
    **{f"a Close with {code}": close(code) for code in (0, 999, 1001, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015)},
    **{f"a Close with {code}": close(code) for code in (1016, 1100, 2000, 2999, 3000, 4000, 4999, 5000, 65535)},
    "a frame that is never completed": text(ASK.decode())[:-3],
    "half a header": text(ASK.decode())[:1],
    "text of HTTP": b"GET / HTTP/1.1\r\n\r\n",
}.items():
    SCRIPTS.add(f"websocket: {name}")(_sends(data))


@SCRIPTS.add("websocket: a message that arrives byte by byte")
async def _byte_by_byte(player: Player) -> None:
    socket = await player.client()
    for byte in text(ASK.decode()):
        socket.send_raw(bytes([byte]))
        await asyncio.sleep(0)
    await socket.until("437")
    await socket.settle()


@SCRIPTS.add("websocket: a bad frame right behind the handshake")
async def _bad_from_the_start(player: Player) -> None:
    socket = await player.websocket(behind=frame(TEXT, b"40", masked=False))
    await socket.settle(fence=False)


@SCRIPTS.add("websocket: the client half-closes")
async def _half_closed(player: Player) -> None:
    socket = await player.client()
    socket.end_of_file()
    await socket.settle(fence=False)
