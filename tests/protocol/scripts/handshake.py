"""How a session is opened, and what a request must carry (Engine.IO protocol 4, "Handshake", "Query parameters")."""

import json

from tests.protocol.frames import text
from tests.protocol.http import PATH, request
from tests.protocol.player import POLLING, WEBSOCKET, Player
from tests.protocol.script import Play, Scripts
from tests.protocol.servers import ALLOWED_ORIGIN

SCRIPTS = Scripts()


def _asks(method: str, query: str, body: str | None = None, **headers: str) -> Play:
    async def play(player: Player) -> None:
        await player.http(method, query, body, **headers)

    return play


def _opens_websocket(query: str, headers: dict[str, str] | None = None) -> Play:
    async def play(player: Player) -> None:
        socket = await player.websocket(query, headers=headers)
        await socket.settle()

    return play


def _asks_in_session(method: str) -> Play:
    async def play(player: Player) -> None:
        session = await player.session()
        await player.http(method, session, None if method == "HEAD" else "")
        await player.alive(session)

    return play


for name, query in {
    "opens by polling": POLLING,
    "polling without EIO": "transport=polling",
    "polling with EIO=3": "EIO=3&transport=polling",
    "polling with EIO=5": "EIO=5&transport=polling",
    "polling with an empty EIO": "EIO=&transport=polling",
    "polling with EIO twice, good then bad": "EIO=4&EIO=3&transport=polling",
    "polling with EIO twice, bad then good": "EIO=3&EIO=4&transport=polling",
    "no query at all": "",
    "no transport": "EIO=4",
    "an empty transport": "EIO=4&transport=",
    "an unknown transport": "EIO=4&transport=carrier-pigeon",
    "the transport websocket without an upgrade": WEBSOCKET,
    "the transport webtransport": "EIO=4&transport=webtransport",
    "a transport that is a property of objects": "EIO=4&transport=constructor",
    "a transport in capitals": "EIO=4&transport=POLLING",
    "two transports, the last is known": "EIO=4&transport=x&transport=polling",
    "two transports, the first is known": "EIO=4&transport=polling&transport=x",
    "an unknown sid": f"{POLLING}&sid=unknown",
    "an empty sid": f"{POLLING}&sid=",
    "a sid that is a property of objects": f"{POLLING}&sid=__proto__",
    "an unknown sid and an unknown transport": "EIO=4&transport=x&sid=unknown",
    "an unknown sid without EIO": "transport=polling&sid=unknown",
    "a parameter nobody knows": f"{POLLING}&t=abc123&x=%ff%00",
    "a broken percent sign": f"{POLLING}&t=%",
    "the parameter of JSONP": f"{POLLING}&j=0",
    "the parameter of JSONP that is no number": f"{POLLING}&j=x",
    "the parameter of base64": f"{POLLING}&b64=1",
}.items():
    SCRIPTS.add(f"GET: {name}")(_asks("GET", query))

for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
    SCRIPTS.add(f"{method} without a session")(_asks(method, POLLING, None if method == "HEAD" else ""))
    if method != "POST":
        SCRIPTS.add(f"{method} in a session")(_asks_in_session(method))
    SCRIPTS.add(f"{method} with an unknown sid")(_asks(method, f"{POLLING}&sid=unknown", ""))
SCRIPTS.add("POST with an unknown transport")(_asks("POST", "EIO=4&transport=x", "40"))

for name, origin in {"an allowed": ALLOWED_ORIGIN, "a foreign": "https://evil.example"}.items():
    SCRIPTS.add(f"GET from {name} origin")(_asks("GET", POLLING, Origin=origin))
    SCRIPTS.add(f"a preflight from {name} origin")(
        _asks("OPTIONS", POLLING, Origin=origin, Access_Control_Request_Method="POST")
    )
    SCRIPTS.add(f"a websocket from {name} origin")(_opens_websocket(WEBSOCKET, {"Origin": origin}))

for name, query in {
    "without EIO": "transport=websocket",
    "with EIO=3": "EIO=3&transport=websocket",
    "with an unknown transport": "EIO=4&transport=x",
    "without a transport": "EIO=4",
    "with the transport polling": POLLING,
    "with an unknown sid": f"{WEBSOCKET}&sid=unknown",
    "with an empty sid": f"{WEBSOCKET}&sid=",
}.items():
    SCRIPTS.add(f"a websocket {name}")(_opens_websocket(query))

for name, headers in {
    "without a key": {"Sec-WebSocket-Key": ""},
    "with a bad key": {"Sec-WebSocket-Key": "short"},
    "without a version": {"Sec-WebSocket-Version": ""},
    "of version 12": {"Sec-WebSocket-Version": "12"},
    "of version 8": {"Sec-WebSocket-Version": "8"},
    "whose Upgrade is another": {"Upgrade": "h2c"},
    "without Connection": {"Connection": ""},
    "that offers compression": {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
    "that offers a subprotocol": {"Sec-WebSocket-Protocol": "chat"},
    "in capitals": {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade"},
}.items():
    SCRIPTS.add(f"a websocket {name}")(_opens_websocket(WEBSOCKET, headers))


@SCRIPTS.add("the open packet by polling has the fields of the specification")
async def _open_packet_by_polling(player: Player) -> None:
    response = await player.ask("GET", POLLING)
    assert response is not None
    packet = json.loads(response.body[1:])
    player.note(f"{sorted(packet)} {packet['upgrades']} {type(packet['sid']).__name__}")
    player.note(f"cache-control: {response.headers.get('cache-control')}")


@SCRIPTS.add("the open packet by websocket names no upgrade")
async def _open_packet_by_websocket(player: Player) -> None:
    socket = await player.websocket()
    await socket.until("0{")
    await socket.settle()


@SCRIPTS.add("the path without its slash")
async def _without_slash(player: Player) -> None:
    response = await player.ask_raw(request("GET", f"{PATH.rstrip('/')}?{POLLING}"))
    player.note(f"{response.status if response else None}")


@SCRIPTS.add("a session of polling is asked for by websocket without an upgrade")
async def _transport_mismatch(player: Player) -> None:
    session = await player.session()
    await player.http("GET", session.replace("polling", "websocket"))
    await player.alive(session)


@SCRIPTS.add("a session of protocol 4 is asked for with EIO=3")
async def _protocol_mismatch(player: Player) -> None:
    session = await player.session()
    await player.http("GET", session.replace("EIO=4", "EIO=3"))
    await player.http("POST", session.replace("EIO=4&", ""), "3")
    await player.alive(session)


@SCRIPTS.add("a session of a websocket is asked for by polling")
async def _websocket_session_by_polling(player: Player) -> None:
    socket = await player.websocket()
    query = f"{POLLING}&sid={json.loads((await socket.first())[1:])['sid']}"
    await player.http("GET", query)
    await player.http("POST", query, "40")
    await player.http("GET", query.replace("polling", "websocket"))
    second = await player.websocket(query.replace("polling", "websocket"))
    second.send("2probe")
    await second.settle()
    await socket.settle()


@SCRIPTS.add("frames right behind the handshake, before its answer")
async def _pipelined(player: Player) -> None:
    socket = await player.websocket(behind=text("40"))
    await socket.until('42["welcome"')
    await socket.settle()
