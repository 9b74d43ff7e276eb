"""Sending and receiving by polling (Engine.IO protocol 4, "HTTP long-polling" and "Packet encoding")."""

import asyncio

from tests.protocol.http import PATH, request
from tests.protocol.normal import describe
from tests.protocol.player import Player
from tests.protocol.script import Play, Scripts
from tests.protocol.servers import MAX_PAYLOAD_BYTES

SCRIPTS = Scripts()

ASK = '427["what is this"]'


def _posts(body: bytes | str, **headers: str) -> Play:
    async def play(player: Player) -> None:
        session = await player.session()
        await player.http("POST", session, body, **headers)
        await player.alive(session)
        await player.drain(session)

    return play


_BODIES: dict[str, str | bytes] = {
    "an empty body": "",
    "a message": ASK,
    "a pong": "3",
    "a ping": "2",
    "a ping with data": "2probe",
    "a noop": "6",
    "an upgrade": "5",
    "an open": "0",
    "a close": "1",
    "a close with data": "1x",
    "a packet type out of range": "7",
    "a packet type that is a letter": "x",
    "a packet type that is no ASCII": "é",
    "a packet type that is a property of objects": "constructor",
    "a message without data": "4",
    "two messages": f"{ASK}\x1e{ASK}",
    "a message behind a close": f"1\x1e{ASK}",
    "a message before a close": f"{ASK}\x1e1",
    "a message behind a bad packet": f"9\x1e{ASK}",
    "a message before a bad packet": f"{ASK}\x1e9",
    "a separator alone": "\x1e",
    "a separator in front": f"\x1e{ASK}",
    "a separator at the end": f"{ASK}\x1e",
    "two separators": f"{ASK}\x1e\x1e{ASK}",
    "seventeen packets": "\x1e".join([ASK] * 17),
    "as many packets as fit": "\x1e".join(["3"] * (MAX_PAYLOAD_BYTES // 2)),
    "a body like a form of JSONP": f"d={ASK}",
    "invalid UTF-8": b'427["\xff\xfe"]',
    "a surrogate in UTF-8": b'427["\xed\xa0\x80"]',
    "a byte order mark": b"\xef\xbb\xbf3",
    "a NUL": '427["a\x00b"]',
    "characters beyond the basic plane": '427["😀 é"]',
    "binary that nobody announced": "bAQIDBA==",
    "binary that was announced": '451-7["what is this",{"_placeholder":true,"num":0}]\x1ebAQIDBA==',
    "binary that is no base64": '451-7["what is this",{"_placeholder":true,"num":0}]\x1eb!!!!',
    "binary that is empty": '451-7["what is this",{"_placeholder":true,"num":0}]\x1eb',
    "base64 without its padding": '451-7["what is this",{"_placeholder":true,"num":0}]\x1ebAQI',
    "as much as is allowed": ASK.ljust(MAX_PAYLOAD_BYTES),
    "one byte more than is allowed": ASK.ljust(MAX_PAYLOAD_BYTES + 1),
    "much more than is allowed": ASK.ljust(20 * MAX_PAYLOAD_BYTES),
}
for name, body in _BODIES.items():
    SCRIPTS.add(f"POST: {name}")(_posts(body))

for kind in ("text/plain;charset=UTF-8", "text/plain", "application/json", "application/x-www-form-urlencoded", "x"):
    SCRIPTS.add(f"POST with Content-Type {kind}")(_posts(ASK, Content_Type=kind))
SCRIPTS.add("POST with Content-Type application/octet-stream")(_posts(ASK, Content_Type="application/octet-stream"))
SCRIPTS.add("POST in chunks")(_posts(f"{len(ASK):x}\r\n{ASK}\r\n0\r\n\r\n", Transfer_Encoding="chunked"))
SCRIPTS.add("POST in chunks, more than is allowed")(
    _posts(f"{2 * MAX_PAYLOAD_BYTES:x}\r\n{'4' * 2 * MAX_PAYLOAD_BYTES}\r\n0\r\n\r\n", Transfer_Encoding="chunked")
)
SCRIPTS.add("POST whose chunks are none")(_posts(f"zz\r\n{ASK}\r\n0\r\n\r\n", Transfer_Encoding="chunked"))


def _posts_with_length(length: str) -> Play:
    async def play(player: Player) -> None:
        session = await player.session()
        response = await player.ask_raw(
            request("POST", f"{PATH}?{session}", {"Content-Length": length, "Connection": "close"}, ASK.encode())
        )
        player.note(str(response.status if response else None))
        await player.alive(session)

    return play


for name, length in {
    "too short": "3",
    "no number": "abc",
    "negative": "-1",
    "with a plus sign": "+3",
    "too long": "500",
    "much too large": "99999999999",
}.items():
    SCRIPTS.add(f"POST with a Content-Length that is {name}")(_posts_with_length(length))


@SCRIPTS.add("POST that is cut off")
async def _cut_off(player: Player) -> None:
    session = await player.session()
    _, writer = await player.connection()
    writer.write(request("POST", f"{PATH}?{session}", {"Content-Length": "100"}, b"42"))
    await writer.drain()
    await asyncio.sleep(player.patience_s)
    writer.close()
    await asyncio.sleep(player.patience_s)
    await player.alive(session)


@SCRIPTS.add("two POSTs at a time")
async def _two_posts(player: Player) -> None:
    session = await player.session()
    reader, writer = await player.connection()
    whole = request("POST", f"{PATH}?{session}", None, ASK.encode())
    writer.write(whole[:-5])
    await writer.drain()
    await asyncio.sleep(player.patience_s)
    await player.http("POST", session, ASK)
    writer.write(whole[-5:])
    await player.alive(session)
    await player.drain(session)
    assert reader


@SCRIPTS.add("two POSTs one behind the other on a connection")
async def _two_posts_in_turn(player: Player) -> None:
    session = await player.session()
    _, writer = await player.connection()
    whole = request("POST", f"{PATH}?{session}", None, ASK.encode())
    writer.write(whole + whole)
    await asyncio.sleep(player.patience_s)
    await player.drain(session)
    await player.alive(session)


@SCRIPTS.add("two polls at a time")
async def _two_polls(player: Player) -> None:
    session = await player.session()
    first = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    await player.http("GET", session)
    player.note(f"first: {describe(await first)}")
    await player.alive(session)


@SCRIPTS.add("a poll is given up")
async def _poll_given_up(player: Player) -> None:
    session = await player.session()
    _, writer = await player.connection()
    writer.write(request("GET", f"{PATH}?{session}"))
    await asyncio.sleep(player.patience_s)
    writer.close()
    await asyncio.sleep(player.patience_s)
    await player.alive(session)


@SCRIPTS.add("a poll waits, then a message is answered")
async def _poll_waits(player: Player) -> None:
    session = await player.session()
    poll = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    await player.http("POST", session, ASK)
    player.note(f"poll: {describe(await poll)}")
    await player.alive(session)


@SCRIPTS.add("a poll waits, then the session is closed by packet")
async def _poll_waits_for_close(player: Player) -> None:
    session = await player.session()
    poll = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    await player.http("POST", session, "1")
    player.note(f"poll: {describe(await poll)}")
    await player.alive(session)


@SCRIPTS.add("a poll waits, then a bad packet comes")
async def _poll_waits_for_bad_packet(player: Player) -> None:
    session = await player.session()
    poll = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    await player.http("POST", session, "9")
    player.note(f"poll: {describe(await poll)}")
    await player.alive(session)


@SCRIPTS.add("a poll waits, then a bad Socket.IO packet comes")
async def _poll_waits_for_bad_message(player: Player) -> None:
    session = await player.session()
    poll = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    await player.http("POST", session, '42{"not":"a list"}')
    player.note(f"poll: {describe(await poll)}")
    await player.alive(session)


@SCRIPTS.add("a bad Socket.IO packet comes while nobody polls")
async def _bad_message_without_poll(player: Player) -> None:
    session = await player.session()
    await player.http("POST", session, '42{"not":"a list"}')
    await player.alive(session)
    await player.drain(session)
    await player.alive(session)


@SCRIPTS.add("a bad Socket.IO packet comes while an answer waits")
async def _bad_message_behind_answer(player: Player) -> None:
    session = await player.session()
    await player.http("POST", session, ASK)
    await asyncio.sleep(player.patience_s)
    await player.http("POST", session, '42{"not":"a list"}')
    await asyncio.sleep(player.patience_s)
    await player.drain(session)


@SCRIPTS.add("answers are collected until somebody polls")
async def _collected(player: Player) -> None:
    session = await player.session()
    for number in range(3):
        await player.http("POST", session, f'42{number}["what is this"]')
    await asyncio.sleep(player.patience_s)
    await player.drain(session)


@SCRIPTS.add("a CONNECT by polling")
async def _connects(player: Player) -> None:
    session = await player.session(connected=False)
    await player.http("POST", session, "40")
    await asyncio.sleep(player.patience_s)
    await player.drain(session)
    await player.alive(session)


@SCRIPTS.add("a disconnect by polling, then a second connect")
async def _reconnects(player: Player) -> None:
    session = await player.session()
    await player.http("POST", session, "41")
    await asyncio.sleep(player.patience_s)
    await player.http("POST", session, "40")
    await asyncio.sleep(player.patience_s)
    await player.drain(session)
    await player.alive(session)
