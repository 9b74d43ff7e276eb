import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Position


@given(st.text(alphabet="0123456789abcdef", min_size=1, max_size=16), st.integers(0, 10**17))
def test_an_offset_comes_back_as_the_position_it_was_made_of(epoch: str, seq: int) -> None:
    """What a client hears as its offset is understood when it sends it back."""
    assert Position.parse(str(Position(epoch, seq))) == Position(epoch, seq)


@pytest.mark.parametrize("text", ["", ":", "e:", ":1", "e", "e:-1", "e:1.0", "e:٣", "e:1x", "e:" + "9" * 19, "e: 1"])
def test_anything_else_is_refused(text: str) -> None:
    """A malformed offset is an error of its own, never position 0."""
    with pytest.raises(ValueError, match="EPOCH:SEQ"):
        Position.parse(text)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever a client sends as an offset is either read or refused with ValueError."""
    try:
        position = Position.parse(text)
    except ValueError:
        return
    assert position.epoch
    assert position.seq >= 0
