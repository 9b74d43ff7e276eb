"""The heartbeat (Engine.IO protocol 4, "Heartbeat"): the server pings, the client answers, or is closed."""

import asyncio

from tests.protocol.normal import describe
from tests.protocol.player import Player
from tests.protocol.script import Scripts

SCRIPTS = Scripts()


@SCRIPTS.add("a ping comes within a second and is answered", "brisk")
async def _answered(player: Player) -> None:
    socket = await player.client()
    for _ in range(3):
        await socket.until("2")
        socket.note_heard()
        socket.send("3")


@SCRIPTS.add("a ping is not answered by websocket", "brisk")
async def _unanswered(player: Player) -> None:
    socket = await player.client()
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a ping is not answered before the CONNECT", "brisk")
async def _unanswered_before_connect(player: Player) -> None:
    socket = await player.websocket()
    await socket.first()
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a ping is answered by a ping", "brisk")
async def _ping_for_ping(player: Player) -> None:
    socket = await player.client()
    await socket.until("2")
    socket.send("2")
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a ping is not answered, but something else is said once", "brisk")
async def _refreshed(player: Player) -> None:
    socket = await player.client()
    await socket.until("2")
    socket.send('427["what is this"]')
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a ping is answered by a pong with data", "brisk")
async def _pong_with_data(player: Player) -> None:
    socket = await player.client()
    await socket.until("2")
    socket.note_heard()
    socket.send("3data")
    await socket.until("2")
    socket.note_heard()


@SCRIPTS.add("pongs come that nobody asked for", "brisk")
async def _unsolicited(player: Player) -> None:
    socket = await player.client()
    socket.send("3", "3", "3")
    await socket.until("2")
    socket.note_heard()
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a ping is not answered by polling", "brisk")
async def _unanswered_by_polling(player: Player) -> None:
    session = await player.session()
    await asyncio.sleep(1)
    await player.http("GET", session)


@SCRIPTS.add("a ping is answered by polling", "brisk")
async def _answered_by_polling(player: Player) -> None:
    session = await player.session()
    await asyncio.sleep(0.4)
    await player.http("GET", session)
    await player.http("POST", session, "3")
    await asyncio.sleep(0.4)
    await player.http("GET", session)


@SCRIPTS.add("a poll waits while a pong is due", "brisk")
async def _unanswered_while_polling(player: Player) -> None:
    session = await player.session()
    player.note(describe(await player.start("GET", session)))
    player.note(describe(await player.start("GET", session)))
    await player.alive(session)


@SCRIPTS.add("pings go on after an upgrade", "brisk")
async def _upgraded(player: Player) -> None:
    session = await player.session()
    socket = await player.websocket(session.replace("polling", "websocket"))
    socket.send("2probe")
    await socket.until("3probe")
    socket.send("5")
    for _ in range(2):
        await socket.until("2")
        socket.send("3")
        socket.note_heard()
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a pong is due when the upgrade is completed", "brisk")
async def _due_at_upgrade(player: Player) -> None:
    session = await player.session()
    socket = await player.websocket(session.replace("polling", "websocket"))
    player.note(describe(await player.start("GET", session)))
    socket.send("2probe", "5", "3")
    await socket.until("2")
    socket.note_heard()


@SCRIPTS.add("no CONNECT comes", "impatient")
async def _never_connects(player: Player) -> None:
    socket = await player.websocket()
    await socket.first()
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("no CONNECT comes by polling", "impatient")
async def _never_connects_by_polling(player: Player) -> None:
    session = await player.session(connected=False)
    await asyncio.sleep(1)
    await player.http("GET", session)
    await player.alive(session)


@SCRIPTS.add("only a CONNECT to an unknown namespace comes", "impatient")
async def _connects_elsewhere(player: Player) -> None:
    socket = await player.websocket()
    await socket.first()
    socket.send("40/nowhere,")
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("only a CONNECT that is refused comes", "impatient")
async def _is_refused(player: Player) -> None:
    socket = await player.websocket()
    await socket.first()
    socket.send('40{"unheard of":1}')
    await socket.ended(2)
    socket.note_heard()


@SCRIPTS.add("a client that has connected stays", "impatient")
async def _stays(player: Player) -> None:
    socket = await player.client()
    await socket.ended(1)
    socket.note_heard()


@SCRIPTS.add("a client that has left the namespace stays", "impatient")
async def _leaves(player: Player) -> None:
    socket = await player.client()
    socket.send("41")
    await socket.ended(1)
    socket.note_heard()
