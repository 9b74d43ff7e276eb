import time

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from api_service.products.ids import new_id, parse_id

_MOMENTS_MS = st.integers(0, 2**32 * 1000 - 1)


@given(earlier=_MOMENTS_MS, later=_MOMENTS_MS)
def test_ids_sort_by_the_millisecond(earlier: int, later: int) -> None:
    """Newest-first is the order of the ids, whichever replica made them."""
    if earlier < later:
        assert new_id(earlier) < new_id(later)


def test_an_id_tells_the_second_of_its_creation() -> None:
    """An id is an ObjectId like any other: its first bytes are the Unix time."""
    before = int(time.time())
    made = new_id().generation_time.timestamp()

    assert before <= made <= time.time()


def test_ids_of_one_millisecond_differ() -> None:
    """Two replicas, or two requests, may share a millisecond."""
    assert len({new_id(1_000) for _ in range(1_000)}) == 1_000


@given(st.binary(min_size=12, max_size=12))
def test_every_id_can_be_read_back(raw: bytes) -> None:
    """What is answered as `id` leads to the product."""
    assert parse_id(str(ObjectId(raw))) == ObjectId(raw)


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "a" * 23, "a" * 25, "A" * 24, "g" * 24, "a" * 24 + "\n", "batch", '{"$gt": ""}', "\0" * 24),
        *("\u0661" * 24, "\ud800" * 24, "123456789012"),
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    """Other lengths, letters, scripts and twelve raw bytes as text are no id, and raise nothing."""
    assert parse_id(text) is None
