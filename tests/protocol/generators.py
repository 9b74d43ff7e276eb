"""Scripts by chance: near enough to the protocol to get somewhere, and wrong in every way."""

import asyncio
import base64
import itertools
import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.protocol.differences import differs_on_purpose
from tests.protocol.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, close, frame
from tests.protocol.http import PATH, request
from tests.protocol.normal import describe
from tests.protocol.player import POLLING, UPGRADE, Player
from tests.protocol.servers import MAX_PAYLOAD_BYTES

_MOST_STEPS = 4


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- packets

_ALPHABET = '0123456789[]{}",:/-bx_é'
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x1e"), max_size=5)
_LEAVES = st.none() | st.booleans() | st.integers(-1000, 1000) | st.just(0.5) | _TEXT
_PLACEHOLDERS = st.fixed_dictionaries({"_placeholder": st.sampled_from([True]), "num": st.integers(-1, 2)})
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES | _PLACEHOLDERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=6,
)
_NAMES = st.sampled_from(["what is this", "", "connect", "disconnecting", "error", "*", "__proto__", 1, 1.5]) | _LEAVES
_DATA = (
    st.builds(lambda name, arguments: _json([name, *arguments]), _NAMES, st.lists(_VALUES, max_size=3))
    | st.sampled_from(["", "{}"])
    | _VALUES.map(_json)
)


_MESSAGES = st.builds(
    "".join,
    st.tuples(
        st.just("4"),
        st.sampled_from("0122222234556"),
        st.sampled_from(["", "", "", "1-", "2-", "0-", "11-", "-"]),
        st.sampled_from(["", "", "", "/,", "/", "/nowhere,", "/nowhere"]),
        st.sampled_from(["", "7", "0", "12345", "-1"]),
        _DATA,
    ),
)


@st.composite
def _mistyped(draw: st.DrawFn, packets: st.SearchStrategy[str]) -> str:
    """Put, replace or leave out one character."""
    packet: str = draw(packets)
    place = draw(st.integers(0, len(packet)))
    left_out = draw(st.integers(0, 1))
    put: str = draw(st.sampled_from(["", *_ALPHABET]))
    return packet[:place] + put + packet[place + left_out :]


_PACKETS = (
    st.one_of(
        _MESSAGES, _MESSAGES, _mistyped(_MESSAGES), st.sampled_from(["", "0", "2", "3", "3x", "5", "6", "7", "b"])
    )
    | st.binary(max_size=4).map(lambda data: "b" + base64.b64encode(data).decode())
).filter(lambda packet: not differs_on_purpose(packet))


_EVENTS = st.builds(
    lambda number, name, arguments: f"42{number}{_json([name, *arguments])}",
    st.sampled_from(["", "7", "0", "12345"]),
    st.sampled_from(["what is this", "", "error", "*", "__proto__", 1, 1.5]),
    st.lists(_VALUES, max_size=3),
)
_BINARY_EVENTS = st.builds(
    lambda name, attachments: (
        f"45{len(attachments)}-7"
        + _json([name, *({"_placeholder": True, "num": number} for number in range(len(attachments)))]),
        *attachments,
    ),
    st.sampled_from(["what is this", "subscribe"]),
    st.lists(st.binary(max_size=3), min_size=1, max_size=3),
)


class Said(NamedTuple):
    """Packets of a client that has been greeted, text or binary, each sent when the one before it was read."""

    packets: tuple[str | bytes, ...]

    async def play(self, player: Player) -> None:
        """Play it."""
        socket = await player.client()
        for packet in self.packets:
            if isinstance(packet, bytes):
                socket.send_binary(packet)
            else:
                socket.send(packet)
            await socket.fence()
        await socket.settle()


class Posted(NamedTuple):
    """Bodies that a greeted client posts, one after the other: sound ones, and a last one."""

    sound: tuple[str, ...]
    last: str

    async def play(self, player: Player) -> None:
        """Play it."""
        session = await player.session()
        for body in self.sound:
            await player.http("POST", session, body)
        # What would come together with the end of the session comes with it or not, by chance.
        await asyncio.sleep(player.patience_s / 2)
        await player.drain(session)
        await player.http("POST", session, self.last)
        await asyncio.sleep(player.patience_s / 2)
        await player.drain(session)
        await player.alive(session)


_MOVES: st.SearchStrategy[tuple[str | bytes, ...]] = st.one_of(
    st.tuples(_EVENTS),
    st.tuples(_EVENTS),
    _BINARY_EVENTS,
    st.tuples(st.sampled_from(["3", "6", "5", "0"])),
    st.tuples(_PACKETS),
    st.tuples(st.binary(max_size=3)),
)

_MEANINGLESS = st.lists(st.sampled_from(["3", "6", "5", "0"]), max_size=3)
_SOUND_BODIES = st.lists(_EVENTS | st.sampled_from(["3", "6"]), min_size=1, max_size=4).map("\x1e".join)
# One message, at its end: whether it is answered before the next one closes is a matter of chance.
_LAST_BODIES = st.builds(lambda first, last: "\x1e".join([*first, last]), _MEANINGLESS, _EVENTS | _PACKETS)

# --- requests


class Asked(NamedTuple):
    """A request, perhaps within a session, perhaps to open a websocket."""

    method: str
    query: tuple[str, ...]
    in_session: bool
    upgrade: bool

    async def play(self, player: Player) -> None:
        """Play it."""
        session = [f"sid={(await player.session()).partition('&sid=')[2]}"] if self.in_session else []
        query = "&".join([*self.query, *session])
        headers = UPGRADE if self.upgrade else {}
        response = await player.ask_raw(request(self.method, f"{PATH}?{query}", headers))
        # A websocket's refusal has no page that anybody sees.
        player.note(f"{response.status}" if self.upgrade and response else describe(response))

    @property
    def as_in_the_reference(self) -> bool:
        """Whether nothing about it is answered differently on purpose."""
        parameters = dict(parameter.split("=", 1) for parameter in self.query)
        if self.upgrade:
            return self.method == "GET" and parameters.get("EIO") == "4" and parameters.get("transport") != "polling"
        return not self.in_session or self.method in {"GET", "POST"}


_VERSIONS = [f"EIO={version}" for version in ("4", "4", "3", "", "04")]
_TRANSPORTS = [f"transport={name}" for name in ("polling", "polling", "websocket", "x", "")]
_QUERIES = st.lists(st.sampled_from([*_VERSIONS, *_TRANSPORTS, "sid=x", "sid=", "t=1", "b64=1"]), max_size=4)

# --- frames


class Framed(NamedTuple):
    """Frames of a client that has been greeted, each in a segment of its own."""

    frames: tuple[bytes, ...]

    async def play(self, player: Player) -> None:
        """Play it."""
        socket = await player.client()
        for data in self.frames:
            socket.send_raw(data)
            await asyncio.sleep(player.patience_s / 10)
        await socket.settle(fence=False)


_ASK = b'427["what is this"]'
_BEGUN = frame(TEXT, _ASK[:4], fin=False)
_FINISHED = frame(CONTINUATION, _ASK[4:])
_CONTROL = [PING, PONG, CLOSE]
_OPCODES = st.sampled_from([TEXT, BINARY, PING, PONG])
_SOUND_FRAMES = st.sampled_from(
    [
        (frame(TEXT, _ASK),),
        (_BEGUN, _FINISHED),
        (_BEGUN, frame(PING, b"x"), _FINISHED),
        (_BEGUN, frame(PONG), frame(CONTINUATION, fin=False), _FINISHED),
        (frame(PING),),
        (frame(PONG, b"x"),),
        (frame(TEXT, b"3"),),
    ]
)


def _is_text(data: bytes) -> bool:
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False


# One fault at a time: which of two is seen first is a matter of taste.
_FAULTY_FRAMES: st.SearchStrategy[tuple[bytes, ...]] = st.one_of(
    st.tuples(st.builds(frame, _OPCODES, st.just(b"3"), masked=st.sampled_from([False]))),
    st.tuples(
        st.builds(
            lambda opcode, rsv: frame(opcode | rsv, b"3"), _OPCODES, st.sampled_from([RSV1, RSV1 >> 1, RSV1 >> 2])
        )
    ),
    st.tuples(st.builds(frame, st.sampled_from([*range(0x3, 0x8), *range(0xB, 0x10)]), st.binary(max_size=3))),
    st.tuples(st.builds(frame, st.sampled_from(_CONTROL), fin=st.sampled_from([False]))),
    st.tuples(st.builds(frame, st.sampled_from(_CONTROL), st.integers(126, 130).map(lambda size: b"x" * size))),
    st.tuples(st.builds(frame, st.just(CONTINUATION), st.binary(max_size=3), fin=st.booleans())),
    st.tuples(st.just(_BEGUN), st.builds(frame, st.sampled_from([TEXT, BINARY]), st.just(_ASK), fin=st.booleans())),
    st.tuples(st.integers(MAX_PAYLOAD_BYTES + 1, 1 << 40).map(lambda size: frame(TEXT, b"3", length=size))),
    st.tuples(st.builds(frame, st.just(TEXT), st.binary(max_size=4).filter(lambda data: not _is_text(data)))),
    st.tuples(st.builds(frame, st.just(BINARY), st.binary(max_size=3))),
    st.tuples(st.builds(close, st.integers(0, 0xFFFF), st.sampled_from([b"", b"bye"]))),
    st.tuples(st.just(_BEGUN)),
)

# --- what is played

said = st.lists(_MOVES, min_size=1, max_size=_MOST_STEPS).map(lambda moves: Said(tuple(itertools.chain(*moves))))
posted = st.builds(Posted, st.lists(_SOUND_BODIES, max_size=2).map(tuple), _LAST_BODIES)
asked = st.builds(
    Asked,
    st.sampled_from(["GET", "GET", "GET", "POST", "PUT", "DELETE"]),
    st.one_of(_QUERIES.map(tuple), st.just(tuple(POLLING.split("&")))),
    st.booleans(),
    st.booleans(),
).filter(lambda asked: asked.as_in_the_reference)
framed = st.builds(
    lambda sound, last: Framed((*itertools.chain(*sound), *last)),
    st.lists(_SOUND_FRAMES, max_size=3),
    _SOUND_FRAMES | _FAULTY_FRAMES,
)

Generated = Said | Posted | Asked | Framed
