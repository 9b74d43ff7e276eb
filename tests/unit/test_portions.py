"""What is read in one turn is whole frames, few of them, however they come; or some of a large one."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from ws_service.engine.portions import MOST_BYTES, portion
from ws_service.limits.allowance import PACKETS_A_TURN

SIZES = st.integers(0, 200) | st.sampled_from([125, 126, 127, 65_535, 65_536, 100_000])
FRAMES = st.lists(st.tuples(SIZES, st.booleans()), max_size=40)
CUTS = st.lists(st.integers(1, 70_000), min_size=1, max_size=20)


def serialized(size: int, *, is_masked: bool) -> bytes:
    return Frame(Opcode.BINARY, b"x" * size).serialize(mask=is_masked)


@given(frames=FRAMES, cuts=CUTS)
def test_frames_are_told_apart_wherever_they_are_cut(frames: list[tuple[int, bool]], cuts: list[int]) -> None:
    """Nothing is left out, each frame is counted once, and no portion has more than its share."""
    sent = [serialized(size, is_masked=is_masked) for size, is_masked in frames]
    stream = b"".join(sent)
    begins = set(itertools.accumulate((len(each) for each in sent), initial=0))
    unread, at, inside, counted = b"", 0, 0, 0
    pieces = itertools.chain(cuts, itertools.repeat(len(stream) + 1))
    sent_until = 0
    while at < len(stream):
        piece = next(pieces)
        unread += stream[sent_until : sent_until + piece]
        sent_until += piece
        while unread:
            taken = portion(memoryview(unread), inside)
            if not taken.end:
                break
            assert taken.end <= MOST_BYTES
            assert taken.frames <= PACKETS_A_TURN
            unread, at, inside, counted = unread[taken.end :], at + taken.end, taken.inside, counted + taken.frames
            assert at + inside in begins, "it knows where the next frame begins"
    assert (counted, unread, inside) == (len(frames), b"", 0)


def test_the_beginning_of_a_head_is_left_until_more_comes() -> None:
    """There is nothing to be told from it."""
    frame = serialized(70_000, is_masked=True)
    assert [portion(memoryview(frame[:size]), 0).end for size in range(10)] == [0] * 10
    assert portion(memoryview(frame[:10]), 0) == (10, 1, len(frame) - 10)


def test_what_announces_more_than_there_can_be_is_handed_on() -> None:
    """The parser is the one who refuses it."""
    assert portion(memoryview(b"\x82\xff" + b"\xff" * 8), 0) == (10, 1, 2**64 - 1 + 4)
