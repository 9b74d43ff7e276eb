"""WebSocket frames by hand (RFC 6455, section 5), so that a client can send what no library would."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
RSV1 = 0x40

_MASK = b"\x11\x22\x33\x44"
_SHORT, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127


class Frame(NamedTuple):
    """A frame as it was received."""

    opcode: int
    payload: bytes


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, length: int | None = None
) -> bytes:
    """Return a client's frame. `opcode` may have reserved bits with it; `length` is what it claims, true or not."""
    first = (0x80 if fin else 0) | opcode
    claimed = len(payload) if length is None else length
    mask_bit = 0x80 if masked else 0
    if claimed <= _SHORT:
        head = struct.pack("!BB", first, mask_bit | claimed)
    elif claimed < 1 << 16:
        head = struct.pack("!BBH", first, mask_bit | _TWO_BYTES, claimed)
    else:
        head = struct.pack("!BBQ", first, mask_bit | _EIGHT_BYTES, claimed)
    return head + (_MASK + _mask(payload) if masked else payload)


def text(payload: str) -> bytes:
    """Return a text message in one frame."""
    return frame(TEXT, payload.encode())


def close(code: int, reason: bytes = b"") -> bytes:
    """Return a Close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


class FrameReader:
    """Takes a server's bytes, gives its frames."""

    def __init__(self) -> None:
        self._data = b""

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Add what came and yield the frames that are complete now."""
        self._data += data
        while received := self._next():
            yield received

    def _next(self) -> Frame | None:
        data = self._data
        if len(data) < 2:
            return None
        length, start = data[1] & 0x7F, 2
        if length == _TWO_BYTES:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == _EIGHT_BYTES:
            length, start = int.from_bytes(data[2:10]), 10
        if len(data) < start + length:
            return None
        self._data = data[start + length :]
        return Frame(data[0] & 0x0F, data[start : start + length])


def _mask(payload: bytes) -> bytes:
    mask = (_MASK * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(len(payload))
