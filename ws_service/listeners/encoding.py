"""What listeners without Socket.IO are told: one JSON object for each event, encoded once for all of them.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from typing import Any

import orjson
from typing_extensions import TypedDict
from websockets.frames import Frame, Opcode

from shared.events import Offset
from ws_service.ingest.outgoing import Meta, Note, Outgoing, Part
from ws_service.sockets.connection import WELCOME, Encoding, Welcome


class Unnumbered(TypedDict):
    """The welcome, or a message without a number."""

    event: str
    payload: Any
    meta: Any


class Numbered(TypedDict):
    """An event with a number."""

    event: str | None
    payload: Any
    meta: Meta
    offset: Offset


# What a browser's EventSource says itself: whoever may send a message could have its page believe that the connection
# is broken. Without a name it comes as `message`.
_OF_EVENT_SOURCE = {"open", "error"}


def _numbered(outgoing: Outgoing) -> bytes:
    event = outgoing.event
    numbered: Numbered = {
        "event": event.event,
        "payload": orjson.Fragment(event.payload),
        "meta": outgoing.meta,
        "offset": outgoing.offset,
    }
    return orjson.dumps(numbered)


def _unnumbered(event: str, payload: Any, meta: Any) -> bytes:
    unnumbered: Unnumbered = {"event": event, "payload": payload, "meta": meta}
    return orjson.dumps(unnumbered)


def _objects(part: Part) -> list[bytes]:
    return [_numbered(outgoing) for outgoing in part.events]


def _object(note: Note) -> bytes:
    return _unnumbered(note.event, orjson.Fragment(note.payload), orjson.Fragment(note.meta))


def _welcome(welcome: Welcome) -> bytes:
    return _unnumbered(WELCOME, welcome, {})


def _sse(event: str | None, data: bytes, offset: str | None = None) -> bytes:
    # A name with a line end in it would go on as another field.
    name = " ".join((event or "").splitlines())
    id_field = b"" if offset is None else b"id: %s\n" % offset.encode()
    event_field = b"" if name in _OF_EVENT_SOURCE else b"event: %s\n" % name.encode()
    return b"%s%sdata: %s\n\n" % (id_field, event_field, data)


def _sse_part(part: Part) -> bytes:
    return b"".join(
        _sse(outgoing.event.event, data, outgoing.offset)
        for outgoing, data in zip(part.events, part.form(_objects), strict=True)
    )


def _sse_note(note: Note) -> bytes:
    return _sse(note.event, note.form(_object))


def _sse_welcome(welcome: Welcome) -> bytes:
    # Who begins here begins with a place to come back to, before there is any event. Who is recovered has one.
    return _sse(WELCOME, _welcome(welcome), None if welcome["recovered"] else welcome["position"])


def _framed(data: bytes) -> bytes:
    # A server's frames are not masked, so that they are the same for all (RFC 6455, section 5.1).
    return Frame(Opcode.TEXT, data).serialize(mask=False)


def _raw_part(part: Part) -> bytes:
    return b"".join(_framed(data) for data in part.form(_objects))


def _raw_note(note: Note) -> bytes:
    return _framed(note.form(_object))


def _raw_welcome(welcome: Welcome) -> bytes:
    return _framed(_welcome(welcome))


SSE = Encoding(_sse_part, _sse_note, _sse_welcome, acknowledges=False)
"""Server-sent events. Only a place in the log is an id, so that a client keeps the last one."""

RAW = Encoding(_raw_part, _raw_note, _raw_welcome, acknowledges=False)
"""Frames of a plain websocket."""
