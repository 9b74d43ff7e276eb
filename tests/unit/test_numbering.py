from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from api_service.feed.changes import Change
from api_service.feed.numbering import number, resync
from shared.events import EVERYONE

ID = ObjectId("6b01a4a3025524c37bd65153")
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def document(**fields: Any) -> dict[str, Any]:
    return {"_id": ID, "name": "Moka", "price": Decimal128("9.90"), "category": "kitchen", "version": 1, **fields}


def change(operation: str, after: Any = None, before: Any = None, key: Any = ID, token: str = "t") -> Change:
    return Change(operation, key, after, before, image_lost=False, time=WHEN, token={"_data": token})


def test_a_created_product_is_told_as_it_was_stored() -> None:
    """The payload is the product as the API answers it; the number follows the last one; the time is the commit's."""
    [entry] = number([change("insert", document())], last=41).entries
    assert entry.seq == 42
    assert entry.event == "new_product"
    assert entry.id == f"{ID}-1"
    assert entry.payload["price"] == "9.90"
    assert entry.payload["id"] == str(ID)
    assert entry.topics == ["products", "category:kitchen", f"product:{ID}"]
    assert entry.time == WHEN
    assert entry.token == {"_data": "t"}


@pytest.mark.parametrize("operation", ["update", "replace"])
def test_a_changed_product_is_told_to_the_old_and_the_new_category(operation: str) -> None:
    """Whoever watches the old category hears the product leave it."""
    moved = change(operation, document(category="toys", version=2), document())
    [entry] = number([moved], 0).entries
    assert entry.event == "product_updated"
    assert entry.topics == ["products", "category:kitchen", f"product:{ID}", "category:toys"]
    assert entry.payload["version"] == 2


def test_a_deleted_product_is_told_as_it_was() -> None:
    """A delete carries what was deleted."""
    [entry] = number([change("delete", before=document(version=3))], 0).entries
    assert entry.event == "product_deleted"
    assert entry.payload["name"] == "Moka"
    assert entry.id == f"{ID}-3-deleted"


def test_a_delete_without_an_image_is_told_by_its_id() -> None:
    """That a product is gone is heard even where MongoDB did not keep what it was."""
    [entry] = number([change("delete")], 0).entries
    assert entry.payload == {"id": str(ID)}
    assert entry.topics == ["products", f"product:{ID}"]


@pytest.mark.parametrize(
    "change_of_something_else",
    [
        change("insert", {"_id": "sku-1", "name": "x", "price": 1}, key="sku-1"),
        change("insert", {"_id": ID, "price": 1}),
        change("insert", document(price="free")),
        change("insert", document(price=Decimal128("NaN"))),
        change("update", after=None),
        change("delete", key="sku-1"),
        change("delete", before={"_id": ID}),
    ],
)
def test_what_is_no_product_is_passed_over_and_takes_no_number(change_of_something_else: Change) -> None:
    """A document that is not a product does not stop the line, and leaves no gap in it."""
    numbered = number([change_of_something_else, change("insert", document())], last=0)
    assert [entry.seq for entry in numbered.entries] == [1]
    assert numbered.passed_over == [change_of_something_else]


def test_a_product_of_another_program_has_the_defaults_of_a_draft() -> None:
    """A program that writes straight into MongoDB needs to know of a name and a price only."""
    [entry] = number([change("insert", {"_id": ID, "name": "Import", "price": Decimal(5)})], 0).entries
    assert entry.payload["category"] == "general"
    assert entry.payload["version"] == 1
    assert entry.payload["created_at"] == ID.generation_time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_a_dropped_collection_is_told_to_everyone() -> None:
    """`invalidate` becomes a numbered resync: loud, never silent. The drop before it is part of the same."""
    numbered = number([change("drop"), change("invalidate", token="i")], last=7)
    [entry] = numbered.entries
    assert (entry.seq, entry.event, entry.topics, entry.token) == (8, "resync", [EVERYONE], {"_data": "i"})
    assert numbered.passed_over == []


def test_a_change_whose_image_was_not_kept_is_told_to_everyone() -> None:
    """A change that cannot be told as it was is loud, never silent."""
    [entry] = number([change("update")._replace(image_lost=True)], 0).entries
    assert (entry.event, entry.topics) == ("resync", [EVERYONE])


def test_a_resync_says_why() -> None:
    """Whoever has to read everything again is told the reason."""
    assert resync(3, "changes were missed", WHEN, {"_data": "n"}).payload == {"reason": "changes were missed"}


CHANGES = st.lists(
    st.sampled_from(
        [
            change("insert", document()),
            change("insert", {"_id": ID}),
            change("update", document(version=2), document()),
            change("delete", before=document()),
            change("drop"),
            change("invalidate"),
        ]
    )
)


@given(CHANGES, CHANGES, st.integers(0, 1000))
def test_numbers_do_not_depend_on_how_the_stream_was_cut(first: list[Change], then: list[Change], last: int) -> None:
    """A leader that resumes in the middle gives every change the number and content that another one gave it."""
    whole = number(first + then, last).entries
    begun = number(first, last).entries
    resumed = number(then, begun[-1].seq if begun else last).entries
    assert begun + resumed == whole
    assert [entry.seq for entry in whole] == list(range(last + 1, last + 1 + len(whole)))
