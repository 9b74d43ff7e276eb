from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api_service.products.schemas import MAX_MEMBERS, Batch, BatchItem, Product, ProductDraft, rfc3339

SMALLEST = {"name": "Moka pot", "price": "24.9"}
ID = ObjectId("66f0c2d00000000000000000")
BORN = datetime.fromtimestamp(0x66F0C2D0, UTC)
_ANYTHING = st.recursive(st.none() | st.floats() | st.integers() | st.text(st.characters()), st.lists)
STORED: dict[str, Any] = {"_id": ID, "name": "Moka pot", "price": Decimal128("24.90")}


def _each(field: str, values: Iterable[Any]) -> list[tuple[str, Any]]:
    return [(field, value) for value in values]


def _wrong(fields: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        ProductDraft.model_validate({**SMALLEST, **fields})
    return [".".join(map(str, error["loc"])) for error in refused.value.errors()]


def test_only_name_and_price_are_required() -> None:
    """Everything else has a default, and prices get the digits of their currency."""
    draft = ProductDraft.model_validate(SMALLEST)

    assert draft.model_dump() == {
        "name": "Moka pot",
        "description": "",
        "currency": "USD",
        "price": "24.90",
        "category": "general",
        "tags": [],
        "stock": None,
    }


def test_a_price_is_stored_as_a_decimal() -> None:
    """Never as a float, which has no cents."""
    assert ProductDraft.model_validate(SMALLEST).document()["price"] == Decimal128("24.90")


def test_spaces_around_a_name_or_a_tag_mean_nothing() -> None:
    """They are not stored and do not count."""
    draft = ProductDraft.model_validate({**SMALLEST, "name": f"  {'x' * 200}\n", "tags": [" steel "]})

    assert (draft.name, draft.tags) == ("x" * 200, ["steel"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            ("name", value)
            for value in ("", "   ", "\t", "x" * 201, "a\0b", "a\nb", "a\x7fb", "\ud800", 5, None, ["a"])
        ],
        *_each("description", ("x" * 5_001, "\0", "\x1b[31m", "a\ud800", None, {"$ne": 1})),
        *_each("price", (1, 1.5, True, None, "", "1e400", "NaN", "-1", "0.001", {"$gt": ""})),
        *_each("currency", ("usd", "", "EURO", "XAU", 978, None)),
        *_each("category", ("", "Books", "a b", "-a", "a--b", "a\n", "x" * 65, "é", None, {"$ne": 1})),
        *_each("stock", (-1, 1.0, "1", True, 10**9 + 1, 10**400, float("nan"))),
        *_each("tags", ("steel", None, {}, ["a"] * 21)),
        *_each("created_at", ("2026-01-01T00:00:00Z", None)),
        *[("id", "x"), ("version", 1), ("$where", "1"), ("_id", "x"), ("name.x", "y")],
    ],
)
def test_a_field_that_breaks_its_rule_is_named(field: str, value: Any) -> None:
    """Limits, types, control characters and unknown fields: the error stands at the very field."""
    assert _wrong({field: value}) == [field]


@pytest.mark.parametrize("tag", ["", "  ", "x" * 51, "a\nb", "\ud800", 1, None])
def test_a_tag_that_breaks_its_rule_is_named(tag: Any) -> None:
    """The error tells which of the tags it is."""
    assert _wrong({"tags": ["steel", tag]}) == ["tags.1"]


def test_the_longest_of_everything_is_accepted() -> None:
    """A limit is the last value that is allowed."""
    largest = {
        "name": "x" * 200,
        "description": "x" * 4_998 + "\n\t",
        "price": "999999999999.99",
        "category": "x" * 64,
        "tags": ["x" * 50] * 20,
        "stock": 10**9,
    }

    assert ProductDraft.model_validate(largest).model_dump(exclude={"currency"}) == largest


def test_the_price_is_held_against_a_currency_that_exists() -> None:
    """A wrong currency is the only error, also where the price depends on it."""
    assert _wrong({"currency": "???", "price": "1.50"}) == ["currency"]
    assert _wrong({"currency": "JPY", "price": "1.50"}) == ["price"]


@pytest.mark.parametrize("model", [ProductDraft, BatchItem, Batch])
def test_an_object_with_very_many_members_is_one_error(model: type[ProductDraft | BatchItem | Batch]) -> None:
    """A body of megabytes must not become an error for each of its members."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate({str(number): 1 for number in range(MAX_MEMBERS + 1)})

    assert refused.value.error_count() == 1


@given(_ANYTHING)
def test_what_is_accepted_can_be_stored_and_read(name: Any) -> None:
    """A draft that is let through becomes a document, and the document a product, for any name at all."""
    try:
        draft = ProductDraft.model_validate({**SMALLEST, "name": name, "description": name})
    except ValidationError:
        return
    product = Product.from_document({"_id": ID, **draft.document()})

    assert product.draft_fields() == draft.model_dump()
    assert product.model_dump_json().encode()


def test_a_foreign_document_gets_the_defaults() -> None:
    """What another program stored is a product if it has an id, a name and a price; its birth is in its id."""
    product = Product.from_document({**STORED, "colour": "red"})

    assert product.model_dump(mode="json") == {
        "id": str(ID),
        "name": "Moka pot",
        "description": "",
        "price": "24.90",
        "currency": "USD",
        "category": "general",
        "tags": [],
        "stock": None,
        "version": 1,
        "created_at": rfc3339(BORN),
        "updated_at": rfc3339(BORN),
    }


@pytest.mark.parametrize(
    ("stored", "price"),
    [
        (9.99, "9.99"),
        (Int64(3), "3"),
        ("2.50", "2.50"),
        (-0.0, "0.0"),
        (Decimal128("1E+3"), "1000"),
        (Decimal128("1234567890123456789012345678.901234"), "1234567890123456789012345678.901234"),
    ],
)
def test_a_foreign_price_is_given_as_it_is(stored: Any, price: str) -> None:
    """No digit is invented or lost, and no exponent or minus sign shows."""
    assert Product.from_document({**STORED, "price": stored}).model_dump(mode="json")["price"] == price


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *_each("_id", (None, 1, str(ID), {"a": 1})),
        *_each("name", (None, 5, "", ["a"])),
        *_each("price", (None, "free", True, -1, [1], {}, float("nan"), float("inf"))),
        *[("price", Decimal128(value)) for value in ("NaN", "sNaN", "-Infinity", "-0.01")],
        *_each("version", (None, "3", True, 1.5, -1, 2**53, float("nan"))),
        *_each("created_at", ("yesterday", {}, DatetimeMS(2**62), "0001-01-01T00:00:00+10:00")),
        *[("tags", "steel"), ("tags", [1]), ("stock", "many"), ("category", 7), ("description", None)],
    ],
)
def test_a_document_of_another_kind_is_no_product(field: str, value: Any) -> None:
    """Whatever stands in the collection, reading it raises nothing but ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Product.from_document({**STORED, field: value})


def test_a_price_is_required_of_a_document() -> None:
    """A document without one is no product."""
    with pytest.raises(ValueError, match="price"):
        Product.from_document({"_id": ID, "name": "x"})


def test_a_version_that_javascript_stored_is_a_number() -> None:
    """Its numbers are all floats."""
    assert Product.from_document({**STORED, "version": 3.0}).version == 3


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 21, 10, 0, 0, 123_999, UTC), "2026-11-21T10:00:00.123Z"),
        (datetime(7, 1, 1, tzinfo=UTC), "0007-01-01T00:00:00.000Z"),
        (datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=2))), "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00", "2026-11-21T10:00:00.000Z"),
    ],
)
def test_moments_are_utc_to_the_millisecond(moment: Any, text: str) -> None:
    """RFC 3339 with a `Z`, the same on every replica whatever its time zone."""
    product = Product.from_document({**STORED, "created_at": moment})

    assert product.model_dump(mode="json")["created_at"] == text


def test_what_may_be_patched_is_a_draft() -> None:
    """A product's own fields, in the form in which they would be sent."""
    fields = Product.from_document(STORED).draft_fields()

    assert ProductDraft.model_validate(fields).price == "24.90"
    assert set(fields) == set(ProductDraft.model_fields)
    assert Decimal(fields["price"]) == Decimal("24.9")
