"""How much of what a client has sent is read in one turn of the loop: some frames, or some of a large one.

The parser takes all that it is given in one go, and thousands of small frames fit into little.
"""

from typing import NamedTuple

from ws_service.limits.allowance import PACKETS_A_TURN

MOST_BYTES = 16 * 1024

_TWO_BYTES, _EIGHT_BYTES = 126, 127
_IS_MASKED = 0x80
_MASK_BYTES = 4


class Portion(NamedTuple):
    """The first `end` bytes, in which so many frames begin; `inside`, what is still to come of the last of them."""

    end: int
    frames: int
    inside: int


def portion(data: memoryview, inside: int) -> Portion:
    """Return what is to be read of the data, whose first `inside` bytes belong to a frame that was begun before.

    Nothing where there is only the beginning of a frame's head.
    """
    at, frames = inside, 0
    while frames < PACKETS_A_TURN and at < MOST_BYTES and (length := _frame_length(data, at)):
        at += length
        frames += 1
    end = min(at, len(data), MOST_BYTES)
    return Portion(end, frames, at - end)


def _frame_length(data: memoryview, at: int) -> int:
    """Return how long the frame is that begins there (RFC 6455, section 5.2); 0 if that is not to be seen yet."""
    if len(data) < at + 2:
        return 0
    told, length = data[at + 1], data[at + 1] & ~_IS_MASKED
    extended = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(length, 0)
    head = 2 + extended
    if len(data) < at + head:
        return 0
    if extended:
        length = int.from_bytes(data[at + 2 : at + head], "big")
    return head + (_MASK_BYTES if told & _IS_MASKED else 0) + length
