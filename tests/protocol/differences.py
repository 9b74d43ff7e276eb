"""Where the emitter differs from the reference on purpose, and why. Any other difference fails the test.

"The specification" is the page of the Engine.IO protocol, version 4 (https://socket.io/docs/v4/engine-io-protocol/), or
of the Socket.IO protocol, version 5 (https://socket.io/docs/v4/socket-io-protocol/), with the test suites that belong
to them.
"""

import re
from typing import NamedTuple


class Difference(NamedTuple):
    """What the emitter answers instead of what the reference answers, in the words of `Player.note`."""

    ours: tuple[str, ...]
    reason: str


_CLOSED = "closed without a code"
_OPEN = "(open)"
_ANSWER = '437[{"error":"<error>"}]'
_SESSION_OPEN = "the session is open"
_BAD_REQUEST = '400 application/json {"code":3,"message":"Bad request"}'
_NO_HTTP = '{"type":"about:blank","title":"Bad Request","status":400,"detail":"this is not a request that HTTP allows"}'
_FORBIDDEN = '400 application/json {"code":3,"message":"the page\'s origin is not allowed: STORECAST_ALLOWED_ORIGINS"}'
_OPENED = (
    "200 text/plain;charset=utf-8 "
    '0{"maxPayload":20000,"pingInterval":50000,"pingTimeout":50000,"sid":"<sid>","upgrades":["websocket"]}'
)

_CLOSE_PACKET = (
    "the specification's test suite expects a websocket to be closed by the packet `1`; the reference ignores it"
)
_METHOD = "a method that does not exist here is the client's fault: the reference answers 500"
_ORIGIN = (
    "a page of an origin that is not allowed must not read what its visitor may read, and CORS does not cover "
    "websockets"
)
_EIO_OF_WEBSOCKET = "the reference has answered 101 when it refuses, and writes its 400 into the websocket"
_TRANSPORT_OF_WEBSOCKET = "refused before a websocket is opened, instead of by closing it"
_SECOND_WEBSOCKET = (
    "the specification wants the second websocket of a session closed: refused before it is opened. The reference "
    "opens it first; and for a session that began as a websocket it takes a probe, and lets a plain GET wait for ever"
)
_SECOND_PROBE = "refused before it is opened, so that it holds no connection: the reference opens it, and closes it"
_HYBI_8 = "a draft of the websocket protocol that no client speaks any more"
_JSONP = "JSONP is not in the specification"
_SLASH = "the path is the emitter's own, there is nothing else that could be meant"
_EMPTY_EVENT = (
    "the specification wants a connection closed whose event is not a non-empty array; the reference overlooks the "
    "one without any data"
)
_HUGE_ID = (
    "an acknowledgement's id that JavaScript cannot hold exactly is refused; the reference answers with another one, "
    "which nobody waits for"
)
_COUNT = "a count is written in digits; the reference takes all that JavaScript's Number() takes"
_JSON = "not JSON that can be passed on: no number, or no text, that every other client could read"
_PIPELINED = "what follows the body is not a request: the reference drops the answer that it owes to the body"
_CLOSED_LATER = "the end is told together with what was waiting, instead of at the poll after it"
_CHUNKS = "whatever is no HTTP is answered with a problem document"
_TWO_CONNECTS = (
    "the second one closes the connection; the reference takes both as long as the first is not answered yet"
)
_UNFINISHED = "a message that was never finished is called a mistake; the connection ends either way"
_NOT_JOINED = "who has not joined in time is told so in the close frame, with 1008 like anyone who went too far"
_UNANSWERED = "what was not dealt with yet is dropped with a connection that ends for a bad frame"

DIFFERENCES = {
    "Engine.IO: a close": Difference((_CLOSED,), _CLOSE_PACKET),
    "Engine.IO: a type of two digits": Difference((_CLOSED,), _CLOSE_PACKET),
    "Socket.IO: a close, then an event": Difference((_CLOSED,), _CLOSE_PACKET),
    "Socket.IO: an event, then a close": Difference((_ANSWER, _CLOSED), _CLOSE_PACKET),
    "PUT in a session": Difference((f"PUT: {_BAD_REQUEST}", _SESSION_OPEN), _METHOD),
    "DELETE in a session": Difference((f"DELETE: {_BAD_REQUEST}", _SESSION_OPEN), _METHOD),
    "PATCH in a session": Difference((f"PATCH: {_BAD_REQUEST}", _SESSION_OPEN), _METHOD),
    "HEAD in a session": Difference(("HEAD: 400 - ", _SESSION_OPEN), _METHOD),
    "GET from a foreign origin": Difference((f"GET: {_FORBIDDEN}",), _ORIGIN),
    "a websocket from a foreign origin": Difference(("handshake: 400",), _ORIGIN),
    "a websocket without EIO": Difference(("handshake: 400",), _EIO_OF_WEBSOCKET),
    "a websocket with EIO=3": Difference(("handshake: 400",), _EIO_OF_WEBSOCKET),
    "a websocket with the transport polling": Difference(("handshake: 400",), _TRANSPORT_OF_WEBSOCKET),
    "a session of a websocket is asked for by polling": Difference(
        (f"GET: {_BAD_REQUEST}", f"POST: {_BAD_REQUEST}", f"GET: {_BAD_REQUEST}", "handshake: 400", _OPEN),
        _SECOND_WEBSOCKET,
    ),
    "a second websocket after the upgrade": Difference(
        ("3probe", _OPEN, "handshake: 400", _ANSWER, _OPEN), _SECOND_WEBSOCKET
    ),
    "a second websocket during the upgrade": Difference(("handshake: 400", "3probe", _OPEN), _SECOND_PROBE),
    "a websocket of version 8": Difference(("handshake: 400",), _HYBI_8),
    "GET: the parameter of JSONP": Difference((f"GET: {_OPENED}",), _JSONP),
    "GET: the parameter of JSONP that is no number": Difference((f"GET: {_OPENED}",), _JSONP),
    "the path without its slash": Difference(("200",), _SLASH),
    "Socket.IO: an event that is a number": Difference((_CLOSED,), _EMPTY_EVENT),
    "Socket.IO: an id without data": Difference((_CLOSED,), _EMPTY_EVENT),
    "Socket.IO: a binary event without data": Difference((_CLOSED,), _EMPTY_EVENT),
    "Socket.IO: an id beyond exact integers": Difference((_CLOSED,), _HUGE_ID),
    "Socket.IO: an id of thirty digits": Difference((_CLOSED,), _HUGE_ID),
    "Socket.IO: an id of five thousand digits": Difference((_CLOSED,), _HUGE_ID),
    "Socket.IO: an acknowledgement with a huge id": Difference((_CLOSED,), _HUGE_ID),
    "Socket.IO: a binary event with an exponent of attachments": Difference((_CLOSED,), _COUNT),
    "Socket.IO: an event with a broken surrogate": Difference((_CLOSED,), _JSON),
    "Socket.IO: an event with a number beyond floats": Difference((_CLOSED,), _JSON),
    "Socket.IO: an event with a huge integer": Difference((_CLOSED,), _JSON),
    "a bad Socket.IO packet comes while an answer waits": Difference(
        (
            "POST: 200 text/html ok",
            "POST: 200 text/html ok",
            f"poll: 200 text/plain;charset=utf-8 {_ANSWER} | 1",
            'poll: 400 application/json {"code":1,"message":"Session ID unknown"}',
        ),
        _CLOSED_LATER,
    ),
    "before CONNECT: two CONNECTs at once": Difference(('40{"sid":"<sid>"}', "42[welcome]", _CLOSED), _TWO_CONNECTS),
    "no CONNECT comes": Difference(("closed 1008",), _NOT_JOINED),
    "only a CONNECT to an unknown namespace comes": Difference(
        ('44/nowhere,{"message":"Invalid namespace"}', "closed 1008"), _NOT_JOINED
    ),
    "only a CONNECT that is refused comes": Difference(
        ('44{"data":"<data>","message":"the handshake\'s auth is not valid"}', "closed 1008"), _NOT_JOINED
    ),
    "websocket: a Close between fragments": Difference(("closed 1002",), _UNFINISHED),
    "websocket: a message and then a bad frame": Difference(("closed 1002",), _UNANSWERED),
    "POST whose chunks are none": Difference(
        (
            f"POST: 400 application/problem+json {_NO_HTTP}",
            "the session is gone",
            'poll: 400 application/json {"code":1,"message":"Session ID unknown"}',
        ),
        _CHUNKS,
    ),
    "POST with a Content-Length that is too short": Difference(("200", _SESSION_OPEN), _PIPELINED),
}

# The same for packets that are generated.
_DIFFERENT_PACKETS = {
    re.compile(r"1.*", re.DOTALL): _CLOSE_PACKET,
    re.compile(r"4(2|5\d+-)(/[^,]*,?)?\d*"): _EMPTY_EVENT,
    re.compile(r"4.*\d{16}.*", re.DOTALL): _HUGE_ID,
    re.compile(r"4[56](?!\d*-)[^-]*-.*", re.DOTALL): _COUNT,
}


def differs_on_purpose(packet: str) -> bool:
    """Tell whether a packet that a client sends is answered differently on purpose."""
    return any(pattern.fullmatch(packet) for pattern in _DIFFERENT_PACKETS)
