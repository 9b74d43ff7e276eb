import pytest

from tests.scale.third import is_balanced


@pytest.mark.parametrize(
    ("counts", "is_it"),
    [
        ([667, 667, 666], True),
        ([567, 767, 666], True),
        ([566, 767, 667], False),
        ([567, 768, 665], False),
        ([1_000, 1_000], False),
        ([], False),
    ],
)
def test_each_emitter_has_its_part(counts: list[int], is_it: bool) -> None:  # noqa: FBT001  # a parameter
    """Of 2,000 clients on three emitters each has 567 to 767."""
    assert is_balanced(counts, 2_000, 3) is is_it
