"""uvicorn's HTTP protocol with bounds: on how long a request may take, how large its head is, how many there are."""

import asyncio
from collections import deque
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from shared import metrics
from shared.serving.http.answers import Refusal
from shared.serving.http.connections import Connections

MAX_URL_BYTES = 16 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100

# Of a body that was answered before it had come. A client that hears the answer while it still sends should be able to
# read it; nobody should have us read for nothing for long.
MAX_UNWANTED_BYTES = 16 * 1024 * 1024

_NO_REQUEST = Refusal(HTTPStatus.BAD_REQUEST, "this is not a request that HTTP allows")
_NO_ONE_HOST = Refusal(HTTPStatus.BAD_REQUEST, "a request has one Host header field")
_URL_TOO_LONG = Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, f"a URL has at most {MAX_URL_BYTES} bytes")
_HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"a request has at most {MAX_HEADERS} header fields, and its head at most {MAX_HEAD_BYTES} bytes",
)
TOO_MANY = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many connections: try again", retry_after_s=1)


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, all_connections: Connections, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._all = all_connections
        self.refusal: Refusal | None = None
        # Whether a request has begun to come, whether its head has, and then what answers it.
        self._is_coming = False
        self._has_head = False
        self._coming: RequestResponseCycle | None = None
        # What has come since the last thing that was of use: a head that does not end, or what belongs to no body.
        self._idle_bytes = 0
        self._is_of_use = False
        self._unwanted_bytes = 0
        self._unanswered: deque[RequestResponseCycle] = deque()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request."""
        super().connection_made(transport)
        self._all.waiting.add(self)
        if len(self.connections) > self._all.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more, and tell all requests; uvicorn tells the last one of those that came before their answers."""
        self._all.waiting.discard(self)
        self._all.closing.discard(self)
        self.pipeline.clear()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read requests."""
        self._unset_keepalive_if_required()
        self._is_of_use = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(_NO_REQUEST)
            return
        self._idle_bytes = 0 if self._is_of_use else self._idle_bytes + len(data)
        if self._idle_bytes > MAX_HEAD_BYTES:
            metrics.limited.labels("head").inc()
            self._refuse(_HEAD_TOO_LARGE)
        elif self._coming is not None and self._coming.response_complete:
            self._unwanted_bytes += len(data)
            if self._unwanted_bytes > MAX_UNWANTED_BYTES:
                self.abort()

    def pause_writing(self) -> None:
        """Wait for the client to read its answer."""
        super().pause_writing()
        self._all.waiting.add(self)

    def resume_writing(self) -> None:
        """Have room for the rest of the answer."""
        super().resume_writing()
        if not self._is_coming:
            self._wait_if_idle()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Wait for the rest of the request."""
        super().on_message_begin()
        self._is_coming = self._is_of_use = True
        self._has_head = False
        self._coming = None
        self._unwanted_bytes = 0
        self._all.waiting.add(self)

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL, up to one byte too many: one of 64 KiB would be no URL to the parser."""
        super().on_url(url[: MAX_URL_BYTES + 1 - len(self.url)])

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; those behind a body are nobody's (RFC 9110, section 6.5.1)."""
        if not self._has_head and len(self.headers) <= MAX_HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Have the head of the request."""
        self._is_of_use = True
        if too_large := self._too_large():
            metrics.limited.labels("head").inc()
            self.refusal = too_large
        elif not self._names_one_host():
            self.refusal = _NO_ONE_HOST
        if self.refusal is not None:
            self.app = self.refusal
        before = self.cycle
        super().on_headers_complete()
        self._has_head = True
        # There is none for a request that is to be upgraded.
        self._coming = None if self.cycle is before else self.cycle
        self._unanswered.append(self.cycle)
        while self._unanswered and (self._unanswered[0] is None or self._unanswered[0].response_complete):
            self._unanswered.popleft()

    def on_body(self, body: bytes) -> None:
        """Have a part of the body."""
        self._is_of_use = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have all of the request."""
        self._is_coming = False
        self._coming = None
        self._is_of_use = True
        super().on_message_complete()
        self._wait_if_idle()

    # What uvicorn calls.

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._all.closing.add(self)
        elif not self._is_coming:
            self._wait_if_idle()

    def timeout_keep_alive_handler(self) -> None:
        """Hear that no other request has come."""
        self._close()

    # What others call.

    def time_out(self) -> None:
        """Hear that the client has taken too long."""
        if self._is_coming or self.flow.write_paused:
            metrics.limited.labels("request_time").inc()
        self.give_up()

    def give_up(self) -> None:
        """Wait no longer for the client."""
        self._all.waiting.discard(self)
        if self.flow.write_paused:
            self.abort()
        elif self._is_coming:
            seconds = self._all.request_s
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, f"a request has to come within {seconds:g} s"))
        else:
            self._close()

    def abort(self) -> None:
        """End it at once."""
        self.transport.abort()

    def upgrade(self, early: bytes) -> None:  # noqa: ARG002  # for who takes a connection over
        """Take a request to go on in another protocol. It is answered as if it had not asked, and is the last one."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _make_room(self) -> None:
        metrics.limited.labels("http_connections").inc()
        longest = self._all.waiting.first
        if longest is None or longest is self:
            self.refusal = TOO_MANY
        else:
            longest.give_up()

    def _too_large(self) -> Refusal | None:
        if len(self.url) > MAX_URL_BYTES:
            return _URL_TOO_LONG
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return _HEAD_TOO_LARGE if len(self.headers) > MAX_HEADERS or size > MAX_HEAD_BYTES else None

    def _names_one_host(self) -> bool:
        """Tell it (RFC 9112, section 3.2). Of two, a proxy could have gone by one, and what guards us by the other."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        return hosts == 1 or (hosts == 0 and self.parser.get_http_version() == "1.0")

    def _wait_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._all.waiting.add(self)
        else:
            self._all.waiting.discard(self)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what has begun to come, if it is its turn, and end."""
        if self._is_turn():
            head = [b"%s: %s\r\n" % header for header in (*self.server_state.default_headers, *refusal.headers)]
            self.transport.write(b"".join((STATUS_LINE[refusal.status], *head, b"\r\n", refusal.body)))
        for cycle in self._unanswered:
            # Before it can say another word.
            cycle.disconnected = True
            cycle.message_event.set()
        self._close()

    def _is_turn(self) -> bool:
        """Tell whether an answer would be to what has begun to come, and not in the middle of another."""
        if self._coming is None:
            return self.cycle is None or bool(self.cycle.response_complete)
        return not self.pipeline and not self._coming.response_started

    def _close(self) -> None:
        self._all.waiting.discard(self)
        # The transport waits until all was taken, which a client that does not read never does.
        self._all.closing.add(self)
        self.transport.close()
