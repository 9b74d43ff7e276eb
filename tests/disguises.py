"""Requests that mean an emitter's internal calls, written so that a proxy and the emitter may not understand the same.

The rules are put together with each other; a new path of the emitter is disguised like the others.
"""

import itertools
from collections.abc import Iterator

from fastapi.routing import iter_route_contexts

from tests.stubs import MARK
from tests.wire import http2
from ws_service.app import create_app
from ws_service.settings import Settings

SOCKETS = "/websocket-service"
HOST = "storecast.example"
CLOSE = "Connection: close"
NUMBER = "000000"
"""What stands in a request's mark, in the place of a number of as many digits."""
BELOW = ("/", "/sse", "/raw", "/assign", "/asyncapi.json", "/client.js", "/socket.io.js")
"""What is public of an emitter, below the path of its sockets."""

# Where the path of a call is hung up.
_PLACES = (
    "", "{P}", "{P}/", "{P}/sse", "{P}/raw", "{P}/assign", "{P}/client.js", "{P}x", "/x", "//{P}", "/.{P}", "/%77{P}",
)  # fmt: skip
# What leads from there to the emitter's root, for one side.
_WAYS = (
    "", "/.", "/..", "/../..", "/../../..", "//..", "/.//..", "/x/../..", "/...", "/./", "/..//", "/%2e%2e",
    "/%2E%2e/%2E%2e", "/.%2e", "/%2e", "/..%2f..", "%2f..", "%2f%2e%2e%2f%2e%2e", "/..%2f", "/..%5c..", "%5c..",
    "\\..", "/..\\..", "/..\\", "%5c%2e%2e", "/..;", "/..;/..", ";/..", ";a=b/..", "/;/..", "/..;a=b", "/%3b/..",
    "/.;/..", "/%252e%252e", "/%252e%252e/%252e%252e", "%252f..", "/..%252f..", "%25%32%66..", "/..%00", "%00/..",
    "/..%0a", "%0a/..", "/..%0d%0a", "/..%09", "/..%20", "/..%ff", "%7f/..", "/%c0%ae%c0%ae", "/..%c0%af..",
    "/%uff0e%uff0e", "/%e0%80%ae.", "/..%ef%bc%8f", "%3f/..", "?/..", "%23/..", "#/..", "/..#", "/..?", "&/..",
    "/..%3f", "/..%23", "/..,", "/..:", "/~/..", "/*/..",
)  # fmt: skip
# How the path itself is written.
_SPELLINGS = (
    "{path}", "/{path}", "//{path}", "/.{path}", "/..{path}", "{path}/", "{path}//", "{path}/.", "{path}/x/..",
    "{upper}", "{path}?", "{path}?x={P}/sse", "{path}#", "{path}#{P}/sse", "{path};", "{path};{P}/sse", "{path};a=b",
    "{path}%20", "{path}%00", "{path}%0a", "{path}%0d", "{path}%09", "{path}%2f", "{path}%3f", "{path}%23",
    "{path}%3b", "{path}.", "{path}.json", "{path}%2e", "{path}\\", "{path}%5c", "{path},", "{path}&", "{path}:",
    "{path}*", "{path}$", "{encoded}", "{encoded_first}", "{encoded_twice}", "%2f{bare}", "%5c{bare}", "\\{bare}",
    "{bare}", ".{path}", "@{path}",
)  # fmt: skip
# A path that is internal for who reads its beginning, and public for who tidies it up.
_TAILS = (
    "/..{public}", "/../x/..{public}", "%2f..{public}", "/%2e%2e{public}", "/..%2f{public}", "\\..{public}",
    "%5c..{public}", ";/..{public}", "/..;{public}", "?/..{public}", "%3f/..{public}", "#/..{public}",
    "%23/..{public}", "%00/..{public}", "%0a/..{public}", "%00{public}", "%0a{public}", "%0d%0a{public}",
    "%20{public}", " {public}", "\t{public}", "/{public}", "{public}", "/../..{public}", "?{public}", "#{public}",
    ";{public}",
)  # fmt: skip
_ABSOLUTE = (
    "http://emitter{path}", "http://x{path}", "https://x{path}", "ws://x{path}", "HTTP://x{path}", "http:{path}",
    "http://{path}", "http://x:80{path}", "http://{P}{path}", "http://x{P}/..{path}", "http://x{P}/%2e%2e{path}",
    "http://x?{path}", "//x{path}", "http://x@y{path}", "http://x{P}/sse@y{path}", "http://x#{path}",
    "http://x\\{path}", "x{path}", "x:80{path}", "*{path}", "*",
)  # fmt: skip


_HEADERS = (
    "X-Original-URL: {path}", "X-Rewrite-URL: {path}", "X-Original-URI: {path}", "X-Forwarded-URI: {path}",
    "X-Forwarded-Path: {path}", "X-Forwarded-Prefix: {path}", "X-Forwarded-Prefix: /..", "X-Script-Name: {path}",
    "X-Accel-Redirect: {path}", "X-Sendfile: {path}", "X-HTTP-Method-Override: POST", "X-HTTP-Method: POST",
    "X-Method-Override: POST", "Destination: {path}", "Location: {path}", "Referer: http://x{path}",
    "Forwarded: host=emitter;proto=http", "X-Forwarded-Host: emitter", "X-Host: emitter", "X-Real-IP: 127.0.0.1",
    "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Server: emitter", "X-Forwarded-Port: 9000",
    "X-Custom-IP-Authorization: 127.0.0.1", "Connection: close, X-Forwarded-For, Host",
    "Connection: close, X-Forwarded-Host", "Proxy: http://emitter", "Via: 1.1 emitter", "Host: emitter",
    "Host: emitter{path}", "Host: x\r\n {path}", "Cookie: storecast_emitter=..{path}", "X: y\r\n{path}: z",
)  # fmt: skip
_HOSTS = (
    "emitter:9000", "127.0.0.1", "x{path}", "x/..{path}", "x#{path}", "x?{path}", "@emitter{path}", "x:80{path}", "",
    "x y", "[::1]{path}",
)  # fmt: skip
_LINES = (
    "GET\t{path}\tHTTP/1.1", "GET\t{P}/sse {path} HTTP/1.1", "GET {P}/sse {path} HTTP/1.1",
    "GET {path} {P}/sse HTTP/1.1", "GET  {path} HTTP/1.1", " GET {path} HTTP/1.1", "GET {path}  HTTP/1.1",
    "GET {P}/sse HTTP/1.1 {path} HTTP/1.1", "GET {P}/sse\t{path} HTTP/1.1", "GET {path}", "GET {path} HTTP/1.0",
    "GET {path} HTTP/0.9", "GET {path} HTTP/2.0", "GET {path} HTTP/3", "GET {path} http/1.1",
    "GET {path} HTTP/1.1\x00", "GET {P}/sse\x0b{path} HTTP/1.1", "GET {P}/sse\x00{path} HTTP/1.1",
    "GET {P}/sse\r{path} HTTP/1.1", "GET {P}/sse\n{path} HTTP/1.1", "GET {P}/sse\xa0{path} HTTP/1.1",
    "GET {P}/sse\x85{path} HTTP/1.1", "GET {P}/\xc0\xae\xc0\xae{path} HTTP/1.1", "GET {P}/\xff..{path} HTTP/1.1",
    "CONNECT emitter:9000 HTTP/1.1", "CONNECT {path} HTTP/1.1", "CONNECT x{path} HTTP/1.1", "OPTIONS * HTTP/1.1",
    "PRI * HTTP/2.0", "TRACE {path} HTTP/1.1", "get {path} HTTP/1.1", "EMIT {path} HTTP/1.1", "GET/{path} HTTP/1.1",
    "G\x00ET {path} HTTP/1.1", "POST {P}/sse HTTP/1.1\nPOST {path} HTTP/1.1",
)  # fmt: skip


def internal_paths() -> tuple[str, ...]:
    """Return the paths of all calls that an emitter takes but for its sockets'."""
    return tuple(sorted(path for path in routes() if not path.startswith(SOCKETS)))


def routes() -> set[str]:
    """Return the paths of all of an emitter's routes. Engine.IO's own, the path of the sockets, is none of them."""
    app = create_app(Settings(emitter_secret="x" * 16, auth="off", socket_path=SOCKETS)).other_asgi_app
    return {str(context.path) for context in iter_route_contexts(app.routes)}


def public_paths(sockets: str) -> set[str]:
    """Return the paths that may reach an emitter, where its sockets have a path."""
    bare = sockets.rstrip("/")
    return {sockets, *(f"{bare}{below}" for below in BELOW)}


def disguised(sockets: str) -> Iterator[bytes]:
    """Yield requests whose targets mean internal calls: each form of `/emit`, and each of one of the others in turn."""
    return (request(target, CLOSE) for target in _forms(sockets))


def disguised_over_http2(sockets: str) -> Iterator[bytes]:
    """Yield some of the same as HTTP/2, which has no line that ends and may carry anything as a path."""
    return (plain_over_http2(target) for target in itertools.islice(_forms(sockets), None, None, 7))


def _forms(sockets: str) -> Iterator[str]:
    others = [path for path in internal_paths() if path != "/emit"]
    shares = (itertools.islice(_targets(path, sockets), at, None, len(others)) for at, path in enumerate(others))
    return itertools.chain(_targets("/emit", sockets), *shares)


def _targets(path: str, sockets: str) -> Iterator[str]:
    given = _given(path, sockets)
    for place, way in itertools.product(_PLACES, _WAYS):
        yield (place + way).format(**given) + path
    for place, way, spelling in itertools.product(_PLACES[:4], ("", "/.."), _SPELLINGS):
        yield (place + way + spelling).format(**given)
    for tail, public in itertools.product(_TAILS, sorted(public_paths(sockets))):
        yield path + tail.format(public=public)
    for form in _ABSOLUTE:
        yield form.format(**given)


def _given(path: str, sockets: str) -> dict[str, str]:
    bare = path.removeprefix("/")
    return {
        "P": sockets.rstrip("/"),
        "path": path,
        "bare": bare,
        "upper": path.upper(),
        "encoded": "".join(f"%{ord(letter):02x}" for letter in path),
        "encoded_first": f"/%{ord(bare[0]):02X}{bare[1:]}",
        "encoded_twice": f"/%25{ord(bare[0]):02x}{bare[1:]}",
    }


def odd_requests(sockets: str) -> Iterator[bytes]:
    """Yield requests that mean internal calls by other lines than the target: headers, hosts, a strange first line."""
    for path in ("/emit", "/events/position"):
        given = _given(path, sockets)
        for header, method in itertools.product(_HEADERS, ("GET", "POST")):
            for target in (f"{given['P']}/sse", "/"):
                yield request(target, header.format(**given), CLOSE, method=method)
        for host, target in itertools.product(_HOSTS, (f"{given['P']}/sse", "/", path, f"http://y{path}")):
            plain = request(target, CLOSE)
            yield plain.replace(HOST.encode(), host.format(**given).encode(), 1)
        plain = request("/", CLOSE)
        yield from (plain.replace(b"GET / HTTP/1.1", line.format(**given).encode("latin-1"), 1) for line in _LINES)


def request(target: str, *lines: str, method: str = "GET") -> bytes:
    """Return a request as bytes; `lines` are more headers."""
    head = (f"{method} {target} HTTP/1.1", f"Host: {HOST}", f"{MARK}: {NUMBER}", *lines)
    return "\r\n".join((*head, "", "")).encode("latin-1")


def plain_over_http2(target: str) -> bytes:
    """Return a request as a connection of HTTP/2."""
    fields = {":method": "GET", ":scheme": "http", ":authority": HOST, ":path": target, MARK: NUMBER}
    return http2(list(fields.items()))
