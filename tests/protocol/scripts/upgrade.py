"""From polling to websocket (Engine.IO protocol 4, "Upgrade")."""

import asyncio

from tests.protocol.normal import describe
from tests.protocol.player import Player
from tests.protocol.script import Scripts
from tests.protocol.websocket import WebSocket
from tests.waiting import eventually

SCRIPTS = Scripts()

ASK = '427["what is this"]'


async def _probing(player: Player) -> tuple[str, WebSocket]:
    session = await player.session()
    return session, await player.websocket(session.replace("polling", "websocket"))


@SCRIPTS.add("an upgrade as the stock client does it")
async def _upgrade(player: Player) -> None:
    session, socket = await _probing(player)
    poll = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    socket.send("2probe")
    await socket.until("3probe")
    player.note(f"poll: {describe(await poll)}")
    socket.send("5")
    await socket.settle()
    socket.send(ASK)
    await socket.until("437")
    await socket.settle()


@SCRIPTS.add("an upgrade while nobody polls")
async def _upgrade_without_poll(player: Player) -> None:
    _, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    socket.send("5")
    socket.send(ASK)
    await socket.settle()


@SCRIPTS.add("an upgrade with everything in one write")
async def _upgrade_at_once(player: Player) -> None:
    _, socket = await _probing(player)
    socket.send("2probe", "5", ASK)
    await socket.until("437")
    await socket.settle()


@SCRIPTS.add("a poll during an upgrade")
async def _poll_while_probing(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    await player.http("GET", session)
    await player.http("POST", session, ASK)
    await player.http("GET", session)
    socket.send("5")
    await socket.settle()


@SCRIPTS.add("a poll waits while the upgrade is completed")
async def _poll_overtaken(player: Player) -> None:
    session, socket = await _probing(player)
    poll = player.start("GET", session)
    await asyncio.sleep(player.patience_s / 2)
    socket.send("2probe", "5")
    await socket.settle()
    player.note(f"poll: {describe(await poll)}")


@SCRIPTS.add("an answer is pending when the upgrade is completed")
async def _pending_at_upgrade(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    await player.http("POST", session, ASK)
    socket.send("5")
    await socket.until("437")
    await socket.settle()


@SCRIPTS.add("answers keep their order through an upgrade")
async def _order(player: Player) -> None:
    session, socket = await _probing(player)
    await player.http("POST", session, "\x1e".join(f'42{number}["a"]' for number in range(3)))
    socket.send("2probe")
    await socket.until("3probe")
    await player.http("POST", session, '423["a"]')
    socket.send("5", *(f'42{number}["a"]' for number in range(4, 8)))
    await socket.until("437")
    await socket.settle()


@SCRIPTS.add("an upgrade before the CONNECT")
async def _before_connect(player: Player) -> None:
    session = await player.session(connected=False)
    socket = await player.websocket(session.replace("polling", "websocket"))
    socket.send("2probe")
    await socket.until("3probe")
    socket.send("5", "40")
    await socket.until('42["welcome"')
    await socket.settle()


@SCRIPTS.add("a websocket ends after the upgrade")
async def _ends(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    socket.send("5")
    await socket.settle()
    socket.send_close(1000)
    await socket.settle(fence=False)

    async def is_forgotten() -> bool:
        answer = await player.ask("GET", session)
        return answer is not None and b"Session ID unknown" in answer.body

    # The answer to the close is heard before the session has ended.
    await eventually(is_forgotten, message="the session has ended")
    again = await player.websocket(session.replace("polling", "websocket"))
    await again.settle()


@SCRIPTS.add("polling after the upgrade")
async def _polling_after(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    socket.send("5")
    await socket.settle()
    await player.http("GET", session)
    await player.http("POST", session, ASK)
    await socket.settle()


@SCRIPTS.add("a second websocket after the upgrade")
async def _second_websocket(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    socket.send("5")
    await socket.settle()
    second = await player.websocket(session.replace("polling", "websocket"))
    second.send("2probe")
    await second.settle()
    socket.send(ASK)
    await socket.settle()


@SCRIPTS.add("a second websocket during the upgrade")
async def _second_probe(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    second = await player.websocket(session.replace("polling", "websocket"))
    second.send("2probe")
    await second.settle()
    socket.send("5")
    await socket.settle()


@SCRIPTS.add("two probes before the upgrade")
async def _probe_twice(player: Player) -> None:
    _, socket = await _probing(player)
    socket.send("2probe", "2probe")
    await socket.until("3probe")
    socket.send("5", ASK)
    await socket.settle()


for name, packet in {
    "a ping without data": "2",
    "a ping with other data": "2other",
    "a pong": "3probe",
    "a message": ASK,
    "a close": "1",
    "a noop": "6",
    "a bad packet": "9",
    "an empty message": "",
}.items():

    @SCRIPTS.add(f"an upgrade that begins with {name}")
    async def _wrong_probe(player: Player, packet: str = packet) -> None:
        session, socket = await _probing(player)
        socket.send(packet)
        await socket.settle()
        await player.alive(session)
        await player.http("POST", session, ASK)
        await player.drain(session)

    @SCRIPTS.add(f"an upgrade that ends with {name}")
    async def _wrong_upgrade(player: Player, packet: str = packet) -> None:
        session, socket = await _probing(player)
        socket.send("2probe")
        await socket.until("3probe")
        socket.send(packet)
        await socket.settle()
        await player.alive(session)
        await player.http("POST", session, ASK)
        await player.drain(session)


@SCRIPTS.add("an upgrade without a probe")
async def _upgrade_without_probe(player: Player) -> None:
    _, socket = await _probing(player)
    socket.send("5", ASK)
    await socket.settle()


@SCRIPTS.add("a binary message instead of a probe")
async def _binary_probe(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send_binary(b"2probe")
    await socket.settle()
    await player.alive(session)


@SCRIPTS.add("a probe is given up and made again")
async def _probe_again(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    await socket.abandon()
    await asyncio.sleep(player.patience_s)
    await player.http("POST", session, ASK)
    await player.drain(session)
    second = await player.websocket(session.replace("polling", "websocket"))
    second.send("2probe")
    await second.until("3probe")
    second.send("5", ASK)
    await second.settle()


@SCRIPTS.add("a probe is closed by the client")
async def _probe_closed(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    socket.send_close(1000)
    await socket.settle(fence=False)
    await player.alive(session)


@SCRIPTS.add("the session ends during the upgrade")
async def _session_ends(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.until("3probe")
    await player.http("POST", session, "1")
    await socket.settle()
    await player.alive(session)


@SCRIPTS.add("a probe that is never begun", "impatient")
async def _probe_never_begun(player: Player) -> None:
    session, socket = await _probing(player)
    await socket.ended()
    await socket.settle()
    await player.alive(session)


@SCRIPTS.add("a probe that is never completed", "impatient")
async def _probe_never_completed(player: Player) -> None:
    session, socket = await _probing(player)
    socket.send("2probe")
    await socket.ended()
    await socket.settle()
    await player.alive(session)
    await player.http("POST", session, ASK)
    await player.drain(session)
