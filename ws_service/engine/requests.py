"""What an HTTP request asks of the engine, and whether it may: the checks of Engine.IO's own server, in its order.

https://socket.io/docs/v4/server-api/#events-1 lists the codes.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.types import Scope

from ws_service.engine.session import Session

_PROTOCOL = "4"
_TRANSPORTS = {"polling", "websocket"}
_MOST_PARAMETERS = 100


class Refused(Exception):
    """A request that breaks the protocol."""

    content_type = "text/plain; charset=utf-8"
    """Of the message, where it is the answer to a handshake."""

    def __init__(
        self, code: int, message: str, status: int = HTTPStatus.BAD_REQUEST, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> bytes:
        """The answer, as Engine.IO gives it."""
        return orjson.dumps({"code": self.code, "message": self.message})


class EngineRequest(NamedTuple):
    """What counts of a request, of either transport. Header names are in lower case; `peer` is who is connected."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    scheme: str
    peer: str
    is_upgrade: bool

    @classmethod
    def of_scope(cls, scope: Scope) -> "EngineRequest":
        """Read a request that came by ASGI."""
        query, headers = read_query(scope["query_string"]), read_headers(scope["headers"])
        return cls(scope["method"], query, headers, scope["scheme"], read_peer(scope.get("client")), is_upgrade=False)


def read_query(query: bytes) -> Mapping[str, str]:
    """Return the parameters; the last value of a repeated one counts."""
    # Nobody has so many to say, and reading thousands of them takes its time.
    first = "&".join(query.decode("latin-1").split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS])
    return dict(parse_qsl(first, keep_blank_values=True))


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the headers, whose names are in lower case; all values of a repeated one count."""
    read: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        read[key] = f"{read[key]},{text}" if key in read else text
    return read


def read_peer(client: Sequence[Any] | None) -> str:
    """Return the address of who is connected; empty over a Unix socket."""
    return client[0] if client else ""


def check(request: EngineRequest, sessions: Mapping[str, Session]) -> Session | None:
    """Return the session that the request belongs to; None for a new one; raise Refused."""
    transport = request.query.get("transport")
    if transport not in _TRANSPORTS or (request.is_upgrade and transport != "websocket"):
        raise Refused(0, "Transport unknown")
    if sid := request.query.get("sid"):
        session = sessions.get(sid)
        if session is None or (session.is_closed and request.is_upgrade):
            raise Refused(1, "Session ID unknown")
        may_upgrade = request.is_upgrade and session.transport.name == "polling"
        if not (may_upgrade or transport == session.transport.name == "polling"):
            raise Refused(3, "Bad request")
        if request.query.get("EIO") != _PROTOCOL:
            raise Refused(3, "Bad request")
        return session
    if request.method != "GET":
        raise Refused(2, "Bad handshake method")
    if transport == "websocket" and not request.is_upgrade:
        raise Refused(3, "Bad request")
    if request.query.get("EIO") != _PROTOCOL:
        raise Refused(5, "Unsupported protocol version")
    return None
