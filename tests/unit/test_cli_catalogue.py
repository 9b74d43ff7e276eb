import itertools
from collections import Counter

from api_service.products.schemas import ProductDraft
from deploy.cli.seed.catalogue import CATEGORIES, products


def test_the_same_seed_makes_the_same_products() -> None:
    """As many as are wanted: fewer are the first of more. Another seed makes others."""
    many = list(products(300, 7))
    assert list(products(100, 7)) == many[:100]
    assert list(products(300, 8)) != many


def test_the_service_takes_them() -> None:
    """None is refused, whatever the dice say; all categories are there, with many names."""
    drafts = [ProductDraft.model_validate(draft) for draft in products(5_000, 1)]
    assert {draft.category for draft in drafts} == set(CATEGORIES)
    assert len({draft.name for draft in drafts}) > 800
    assert {None, 0} < {draft.stock for draft in drafts}


def test_categories_can_be_chosen() -> None:
    """Nothing comes from another shelf."""
    chosen = Counter(draft["category"] for draft in products(200, 3, ["books", "garden"]))
    assert set(chosen) == {"books", "garden"}
    assert min(chosen.values()) > 50


def test_a_million_need_no_memory() -> None:
    """They are made as they are sent."""
    assert len(list(itertools.islice(products(10**12, 1), 3))) == 3
