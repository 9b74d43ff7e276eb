"""Packets over a websocket: Engine.IO's own, and Socket.IO's (Socket.IO protocol 5)."""

from tests.protocol.player import Player
from tests.protocol.script import Play, Scripts

SCRIPTS = Scripts()

ASK = '427["what is this"]'
BINARY_ASK = '7["what is this",{"_placeholder":true,"num":0}]'


def _says(*messages: str | bytes) -> Play:
    """Say this as a client that has been greeted, each message when the one before was read, then ask something."""

    async def play(player: Player) -> None:
        socket = await player.client()
        for message in messages:
            if isinstance(message, bytes):
                socket.send_binary(message)
            else:
                socket.send(message)
            await socket.fence()
        await socket.settle()
        socket.send(ASK)
        await socket.settle()

    return play


def _opens_with(*messages: str) -> Play:
    """Say this on a new websocket, before any CONNECT, then connect."""

    async def play(player: Player) -> None:
        socket = await player.websocket()
        await socket.first()
        socket.send(*messages)
        await socket.settle()
        socket.send("40")
        await socket.settle()

    return play


for name, packet in {
    "an empty message": "",
    "an open": "0",
    "an open with data": '0{"sid":"x"}',
    "a close": "1",
    "a ping": "2",
    "a ping with data": "2probe",
    "a pong": "3",
    "a pong with data": "3probe",
    "a message without data": "4",
    "an upgrade": "5",
    "a noop": "6",
    "a type out of range": "7",
    "a type of two digits": "10",
    "a letter": "x",
    "a letter b": "bAQID",
    "no ASCII": "é",
    "a digit of another script": "\u0664",
    "a superscript digit": "²",
    "a record separator": f"{ASK}\x1e{ASK}",
    "a space": " ",
}.items():
    SCRIPTS.add(f"Engine.IO: {name}")(_says(packet))

for name, message in {
    "an event without a name": "42[]",
    "an event that is an object": '42{"a":1}',
    "an event that is a string": '42"a"',
    "an event that is a number": "42",
    "an event that is null": "42null",
    "an event that is no JSON": "42[",
    "an event with something behind": '42["a"]x',
    "an event whose name is a number": "427[1]",
    "an event whose name is an object": "427[{}]",
    "an event whose name is null": "427[null]",
    "an event whose name is a list": '427[["a"]]',
    "an event whose name is true": "427[true]",
    "an event whose name is empty": '427[""]',
    "an event named connect": '427["connect"]',
    "an event named connect_error": '427["connect_error"]',
    "an event named disconnect": '427["disconnect"]',
    "an event named disconnecting": '427["disconnecting"]',
    "an event named newListener": '427["newListener"]',
    "an event named removeListener": '427["removeListener"]',
    "an event named error": '427["error"]',
    "an event named *": '427["*"]',
    "an event named __proto__": '427["__proto__"]',
    "an event named message": '427["message"]',
    "an event named welcome": '427["welcome"]',
    "an event that nobody knows, without an id": '42["a"]',
    "an event that nobody knows": '427["a",1,{"b":[null]}]',
    "an event with a long name": f'427["{"x" * 5000}"]',
    "an event with a broken surrogate": '427["\\ud800"]',
    "an event with a NUL": '427["\\u0000"]',
    "an event with NaN": '427["a",NaN]',
    "an event with Infinity": '427["a",Infinity]',
    "an event with a number beyond floats": '427["a",1e999]',
    "an event with a huge integer": f'427["a",{"9" * 400}]',
    "an event with a key twice": '427["a",{"b":1,"b":2}]',
    "an event with the key __proto__": '427["a",{"__proto__":{"b":1}}]',
    "an event nested a thousand deep": f'427["a",{"[" * 1000}{"]" * 1000}]',
    "an event with white space": '427 ["a"]',
    "an event with a comma too many": '427["a",]',
    "an event with single quotes": "427['a']",
    "an event with a comment": '427["a"/**/]',
    "an event of the root by name": '42/,7["a"]',
    "an event of a namespace that it has not joined": '42/nowhere,7["a"]',
    "an event of a namespace without a comma": "42/nowhere",
    "an event of a namespace with a query": '42/?a=b,7["a"]',
    "subscribe": '427["subscribe",{"topics":["category:books"]}]',
    "subscribe without an id": '42["subscribe",{"topics":["category:books"]}]',
    "subscribe without a request": '427["subscribe"]',
    "subscribe with null": '427["subscribe",null]',
    "subscribe with too many arguments": '427["subscribe",{"topics":["category:books"]},1,2]',
    "unsubscribe": '427["unsubscribe",{"topics":["products"]}]',
    "unsubscribe with a string": '427["unsubscribe","products"]',
    "an id of zero": '420["a"]',
    "an id with zeros in front": '42007["a"]',
    "an id beyond 32 bits": '4299999999999["a"]',
    "the largest exact id": '429007199254740991["a"]',
    "an id beyond exact integers": '429007199254740993["a"]',
    "an id of thirty digits": f'42{"9" * 30}["a"]',
    "an id of five thousand digits": f'42{"9" * 5000}["a"]',
    "an id that is negative": '42-7["a"]',
    "an id with a point": '427.5["a"]',
    "an id with an exponent": '421e3["a"]',
    "an id without data": "427",
    "an id in digits of another script": '42\u0664["a"]',
    "an acknowledgement that nobody waits for": '437["a"]',
    "an acknowledgement without an id": '43["a"]',
    "an acknowledgement without data": "437",
    "an acknowledgement that is an object": '437{"a":1}',
    "an acknowledgement that is no JSON": "437[",
    "an acknowledgement with a huge id": f'43{"9" * 30}["a"]',
    "an acknowledgement with a negative id": '43-1["a"]',
    "an acknowledgement of another namespace": '43/nowhere,7["a"]',
    "a second CONNECT": "40",
    "a second CONNECT with data": '40{"topics":["products"]}',
    "a CONNECT to an unknown namespace": "40/nowhere,",
    "a CONNECT to an unknown namespace without a comma": "40/nowhere",
    "a CONNECT to an unknown namespace with data": '40/nowhere,{"token":"x"}',
    "a CONNECT to an unknown namespace with a query": "40/nowhere?token=x,",
    "a CONNECT to a namespace that is a property of objects": "40/__proto__,",
    "a CONNECT to a namespace with a quote": '40/no"where,',
    "a DISCONNECT": "41",
    "a DISCONNECT with data": '41{"a":1}',
    "a DISCONNECT with no JSON": "41x",
    "a DISCONNECT of a namespace that it has not joined": "41/nowhere,",
    "an error": '44{"message":"x"}',
    "an error with a string": '44"x"',
    "an error without data": "44",
    "an error of another namespace": '44/nowhere,{"message":"x"}',
    "a type out of range": "47",
    "a type that is a letter": "4x",
    "a type that is a minus sign": "4-1",
    "a type that is a space": "4 ",
    "a type of another script": '4\u0662["a"]',
}.items():
    SCRIPTS.add(f"Socket.IO: {name}")(_says(message))

_SAID: dict[str, tuple[str | bytes, ...]] = {
    "a binary event": ("451-" + BINARY_ASK, b"\x01\x02"),
    "a binary event with two attachments": (
        '452-7["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        b"\x01",
        b"\x02",
    ),
    "a binary event without an id": ('451-["a",{"_placeholder":true,"num":0}]', b"\x01"),
    "a binary event with an empty attachment": ("451-" + BINARY_ASK, b""),
    "a binary event that is incomplete": ("451-" + BINARY_ASK,),
    "a binary event with an attachment too many": ("451-" + BINARY_ASK, b"\x01", b"\x02"),
    "a binary event with an event in between": ("451-" + BINARY_ASK, ASK, b"\x01"),
    "a binary event with a pong in between": ("451-" + BINARY_ASK, "3", b"\x01"),
    "a binary event that is announced twice": ("451-" + BINARY_ASK, "451-" + BINARY_ASK),
    "a binary event with a DISCONNECT in between": ("451-" + BINARY_ASK, "41", b"\x01"),
    "a binary event without placeholders": ('451-7["a"]', b"\x01"),
    "a binary event whose placeholder points beyond": ('451-7["a",{"_placeholder":true,"num":1}]', b"\x01"),
    "a binary event whose placeholder is negative": ('451-7["a",{"_placeholder":true,"num":-1}]', b"\x01"),
    "a binary event whose placeholder is a string": ('451-7["a",{"_placeholder":true,"num":"0"}]', b"\x01"),
    "a binary event whose placeholder has no number": ('451-7["a",{"_placeholder":true}]', b"\x01"),
    "a binary event whose placeholder is not true": ('451-7["a",{"_placeholder":1,"num":0}]', b"\x01"),
    "a binary event whose placeholder is used twice": (
        '451-7["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]',
        b"\x01",
    ),
    "a binary event whose name is the attachment": ('451-7[{"_placeholder":true,"num":0}]', b"\x01"),
    "a binary event with no attachments": ('450-7["a"]',),
    "a binary event with ten attachments": ('4510-7["a"]', *[b"\x01"] * 10),
    "a binary event with eleven attachments": ('4511-7["a"]', *[b"\x01"] * 11),
    "a binary event with a huge number of attachments": ('45999999999-7["a"]',),
    "a binary event with a negative number of attachments": ('45-1-7["a"]',),
    "a binary event without its number of attachments": ('457["a"]',),
    "a binary event with a dash alone": ('45-7["a"]',),
    "a binary event with a fraction of attachments": ('451.5-7["a"]', b"\x01"),
    "a binary event with an exponent of attachments": ('451e0-7["a"]', b"\x01"),
    "a binary event with zeros in front of its attachments": ('4501-7["a"]', b"\x01"),
    "a binary event of the root by name": ('451-/,7["a"]', b"\x01"),
    "a binary event of a namespace that it has not joined": ('451-/nowhere,7["a"]', b"\x01"),
    "a binary event that is an object": ('451-7{"a":1}', b"\x01"),
    "a binary event named disconnect": ('451-7["disconnect"]', b"\x01"),
    "a binary event without data": ("451-", b"\x01"),
    "a binary acknowledgement": ('461-7[{"_placeholder":true,"num":0}]', b"\x01"),
    "a binary acknowledgement without attachments": ("460-7[]",),
    "a binary acknowledgement that is incomplete": ("461-7[]",),
    "a binary message that nobody announced": (b"\x01\x02",),
    "an empty binary message that nobody announced": (b"",),
    "a binary message that says what an event would": (ASK.encode(),),
    "a subscribe in binary": ('451-7["subscribe",{"_placeholder":true,"num":0}]', b"\x01"),
    "a CONNECT to an unknown namespace, then an event there": ("40/nowhere,", '42/nowhere,7["a"]'),
    "a CONNECT to an unknown namespace twice": ("40/nowhere,", "40/nowhere,"),
    "an event, then a close": (ASK, "1"),
    "a close, then an event": ("1", ASK),
}
for name, said in _SAID.items():
    SCRIPTS.add(f"Socket.IO: {name}")(_says(*said))

for name, messages in {
    "an event": (ASK,),
    "an acknowledgement": ('437["a"]',),
    "a DISCONNECT": ("41",),
    "a DISCONNECT of a namespace": ("41/nowhere,",),
    "an error": ('44{"message":"x"}',),
    "a binary event": ('451-7["a"]',),
    "an event of an unknown namespace": ('42/nowhere,7["a"]',),
    "a bad type": ("47",),
    "a CONNECT to an unknown namespace": ("40/nowhere,",),
    "a CONNECT with data": ('40{"topics":["products"]}',),
    "a CONNECT with empty data": ("40{}",),
    "a CONNECT with data that is refused": ('40{"unheard of":1}',),
    "a CONNECT that is refused, then one that is not": ('40{"unheard of":1}', "40{}"),
    "a CONNECT with a list": ('40["a"]',),
    "a CONNECT with a string": ('40"a"',),
    "a CONNECT with null": ("40null",),
    "a CONNECT with false": ("40false",),
    "a CONNECT with a number": ("407",),
    "a CONNECT with a number and data": ("407{}",),
    "a CONNECT with no JSON": ("40{",),
    "a CONNECT to the root by name": ("40/",),
    "a CONNECT to the root by name with a comma": ("40/,",),
    "a CONNECT to the root by name with data": ("40/,{}",),
    "a CONNECT to the root with a query": ("40/?a=b,",),
    "two CONNECTs at once": ("40", "40"),
}.items():
    SCRIPTS.add(f"before CONNECT: {name}")(_opens_with(*messages))


@SCRIPTS.add("Socket.IO: many events at once")
async def _at_once(player: Player) -> None:
    socket = await player.client()
    socket.send(*(f'42{number}["what is this"]' for number in range(50)))
    await socket.until("4349")
    await socket.settle()


for name, message in {"an event": ASK, "a DISCONNECT": "41", "a binary event": "451-" + BINARY_ASK}.items():

    @SCRIPTS.add(f"a DISCONNECT, then {name}")
    async def _has_left(player: Player, message: str = message) -> None:
        socket = await player.client()
        socket.send("41")
        await socket.settle()
        socket.send(message)
        await socket.settle()


@SCRIPTS.add("a DISCONNECT, then a CONNECT")
async def _comes_back(player: Player) -> None:
    socket = await player.client()
    socket.send("41")
    await socket.settle()
    socket.send("40")
    await socket.until('42["welcome"')
    await socket.settle()
    socket.send(ASK)
    await socket.settle()


@SCRIPTS.add("a CONNECT to an unknown namespace as the first, then one to the root")
async def _connects_after_refusal(player: Player) -> None:
    socket = await player.websocket()
    await socket.first()
    socket.send("40/nowhere,")
    await socket.settle()
    socket.send("40")
    await socket.until('42["welcome"')
    await socket.settle()
