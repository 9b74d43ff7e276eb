"""Bytes to a port as they stand: no client library tidies them up."""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress

_ANSWERED_WITHIN_S = 30
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GO_AWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4


async def exchange(address: str, sent: bytes, silence_s: float | None = None) -> bytes:
    """Send bytes to `host:port`, and return what comes back until the other side closes.

    Args:
        address: Where to.
        sent: What to send.
        silence_s: For how long the other side may say nothing before that counts as its end, too. Without it, it has to
            close the connection within half a minute.
    """
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        writer.write(sent)
        async with asyncio.timeout(_ANSWERED_WITHIN_S):
            with suppress(ConnectionError, TimeoutError):
                while part := await asyncio.wait_for(reader.read(65536), silence_s):
                    answer += part
                    if is_http2_end(answer):
                        break
                return answer
            if silence_s is None:
                raise AssertionError(f"no answer to {sent!r}, only {answer!r}")
    finally:
        writer.transport.abort()
    return answer


def http2(fields: Sequence[tuple[str, str]], body: bytes = b"") -> bytes:
    """Return a connection of HTTP/2 with one request, whose fields may be what no library would write (RFC 9113)."""
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
    head = _frame(_HEADERS, _END_HEADERS | (0 if body else _END_STREAM), block)
    return _PREFACE + _frame(_SETTINGS, 0, b"", 0) + head + (_frame(_DATA, _END_STREAM, body) if body else b"")


def is_http2_end(received: bytes) -> bool:
    """Whether what was received is HTTP/2, and ends the request's stream or the connection."""
    if received.startswith(b"HTTP/1"):
        return False
    at = 0
    while len(received) >= at + 9:
        length = int.from_bytes(received[at : at + 3])
        kind, flags = received[at + 3], received[at + 4]
        if kind in {_RESET, _GO_AWAY} or (kind in {_DATA, _HEADERS} and flags & _END_STREAM):
            return True
        at += 9 + length
    return False


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _text(text: str) -> bytes:
    """Return a string literal of HPACK, without Huffman's code (RFC 7541, 5.2)."""
    encoded = text.encode("latin-1")
    length = len(encoded)
    if length < 127:
        return bytes((length,)) + encoded
    rest, size = length - 127, bytearray((127,))
    while rest >= 128:
        size.append(rest % 128 + 128)
        rest //= 128
    size.append(rest)
    return bytes(size) + encoded
