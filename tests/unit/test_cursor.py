import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from api_service.products.cursor import make_cursor, read_cursor
from shared.serving.http.errors import Invalid

ID = "0123456789abcdef01234567"


@given(st.none() | st.sampled_from(["books", "a-b"]), st.none() | st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_cursor_leads_back_to_its_id(category: str | None, q: str | None) -> None:
    """What a page gives as `next_cursor` is understood with the same filter."""
    assert read_cursor(make_cursor(ID, category, q), category, q) == ObjectId(ID)


@pytest.mark.parametrize(
    ("category", "q"),
    [(None, None), ("toys", "moka"), ("books", "pot"), ("books", None), (None, "moka"), ("moka", "books")],
)
def test_a_cursor_is_bound_to_its_filter(category: str | None, q: str | None) -> None:
    """A cursor of another list would skip or repeat products without a word."""
    with pytest.raises(Invalid) as refused:
        read_cursor(make_cursor(ID, "books", "moka"), category, q)

    assert [error.field for error in refused.value.errors] == ["cursor"]


@pytest.mark.parametrize("place", range(len(make_cursor(ID, None, None))))
def test_a_cursor_that_was_tampered_with_is_refused(place: int) -> None:
    """Every character counts."""
    cursor = make_cursor(ID, None, None)
    other = "1" if cursor[place] == "0" else "0"

    with pytest.raises(Invalid, match="cursor"):
        read_cursor(cursor[:place] + other + cursor[place + 1 :], None, None)


@given(st.text(max_size=100))
def test_any_text_is_refused_as_a_cursor(text: str) -> None:
    """What was not made here is an error of the caller's, whatever it is."""
    with pytest.raises(Invalid):
        read_cursor(text, None, None)
