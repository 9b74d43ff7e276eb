"""What goes out: Engine.IO packets that hold Socket.IO packets, encoded and framed once for all who are sent them.

https://socket.io/docs/v4/engine-io-protocol and https://socket.io/docs/v4/socket-io-protocol
"""

from collections.abc import Sequence
from typing import Annotated, Any, NotRequired

import orjson
from pydantic import Field
from typing_extensions import TypedDict
from websockets.frames import Frame, Opcode

from shared.problems import Problem
from ws_service.ingest.outgoing import Note, Outgoing, Part

SEPARATOR = b"\x1e"
"""Stands between the packets of a long-polling payload."""


class Connected(TypedDict):
    """The answer to CONNECT."""

    sid: Annotated[str, Field(description="the socket's public id")]
    pid: Annotated[str, Field(description="the stock JavaScript client sends it when it comes back, to recover")]


class ConnectError(TypedDict):
    """The refusal of a CONNECT. It has no `data` where there is no such namespace."""

    message: str
    data: NotRequired[Problem]


class Packets:
    """Consecutive packets, ready for either transport. The same bytes serve every socket.

    `asks` is how many packets the client is to answer with.
    """

    __slots__ = ("_encoded", "asks", "frames")

    def __init__(self, encoded: Sequence[bytes], asks: int = 0) -> None:
        self._encoded = encoded
        self.asks = asks
        # A server's frames are not masked, so that they are the same for all (RFC 6455, section 5.1).
        self.frames = b"".join(Frame(Opcode.TEXT, packet).serialize(mask=False) for packet in encoded)

    @property
    def payload(self) -> bytes:
        """The packets as a part of a long-polling answer."""
        return SEPARATOR.join(self._encoded)


CLOSE = Packets([b"1"])
PING = Packets([b"2"], asks=1)
NOOP = Packets([b"6"])
PROBED = Packets([b"3probe"])


def encode_event(name: str, *arguments: Any) -> Packets:
    """Return an event with its arguments."""
    return Packets([b"42" + orjson.dumps([name, *arguments])])


def encode_note(note: Note) -> Packets:
    """Return an event without a number, as `(payload, meta)` under its name."""
    # Never a string at the end: the stock client would take it for the offset to recover from.
    ack, asks = (b"", 0) if note.ack is None else (b"%d" % note.ack, 1)
    arguments = [note.event, orjson.Fragment(note.payload), orjson.Fragment(note.meta)]
    return Packets([b"42" + ack + orjson.dumps(arguments)], asks)


def encode_connect(sid: str, pid: str) -> Packets:
    """Return the answer to CONNECT."""
    connected: Connected = {"sid": sid, "pid": pid}
    return Packets([b"40" + orjson.dumps(connected)])


def encode_connect_error(namespace: str, error: ConnectError) -> Packets:
    """Return the refusal of a CONNECT."""
    prefix = "44" if namespace == "/" else f"44{namespace},"
    return Packets([prefix.encode() + orjson.dumps(error)])


def encode_ack(number: int, answer: Any) -> Packets:
    """Return the acknowledgement of an event."""
    return Packets([b"43%d" % number + orjson.dumps([answer])])


def encode_part(part: Part) -> Packets:
    """Return numbered events, each as `(payload, meta, offset)` under its name."""
    return Packets([_numbered(each) for each in part.events])


def _numbered(outgoing: Outgoing) -> bytes:
    event = outgoing.event
    return b"42" + orjson.dumps([event.event, orjson.Fragment(event.payload), outgoing.meta, outgoing.offset])
