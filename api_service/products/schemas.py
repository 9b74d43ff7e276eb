"""What a product is: as a caller sends it, as it is stored, as it is answered and heard."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from bson import Decimal128, ObjectId
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from api_service.products.money import check_currency, parse_price
from shared.problems import Problem

MAX_BATCH_ITEMS = 1000
MAX_MEMBERS = 50

_EXAMPLE: dict[str, JsonValue] = {
    "name": "Moka pot",
    "description": "For three cups.",
    "price": "24.90",
    "currency": "EUR",
    "category": "kitchen",
    "tags": ["coffee", "steel"],
    "stock": 12,
}


# JSON can also name half of a surrogate pair (RFC 8259, section 8.2), which no UTF-8 has: it could not be stored.
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def single_line(text: str) -> str:
    """Return `text` if it has no control character and is Unicode; raise ValueError otherwise."""
    if _NOT_TEXT.search(text):
        raise ValueError("control characters and halves of surrogate pairs are not allowed")
    return text


def _lines(text: str) -> str:
    single_line(text.replace("\n", "").replace("\t", "").replace("\r", ""))
    return text


Slug = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), AfterValidator(single_line)]
IdempotencyKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class Sent(BaseModel):
    """What a caller sends. Nothing is converted to another type, and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_members(cls, sent: Any) -> Any:
        # Each unknown one would be an error of its own: megabytes of them would keep the process busy for seconds.
        if isinstance(sent, dict) and len(sent) > MAX_MEMBERS:
            raise ValueError(f"an object has at most {MAX_MEMBERS} members")
        return sent


class ProductDraft(Sent):
    """A product as a caller describes it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(single_line)
    ]
    description: Annotated[str, StringConstraints(max_length=5_000), AfterValidator(_lines)] = ""
    # Before `price`, whose digits depend on it.
    currency: Annotated[str, AfterValidator(check_currency), Field(description="ISO 4217")] = "USD"
    price: Annotated[str, Field(description="a decimal number in a string, at least 0", examples=["24.90"])]
    category: Slug = "general"
    tags: Annotated[list[Tag], Field(max_length=20)] = []
    stock: Annotated[int | None, Field(ge=0, le=1_000_000_000)] = None

    @field_validator("price")
    @classmethod
    def _exact(cls, price: str, info: ValidationInfo) -> str:
        # A wrong currency is reported as such; the price is then held against the default one.
        return str(parse_price(price, info.data.get("currency", "USD")))

    def document(self) -> dict[str, Any]:
        """Return the fields as they are stored."""
        return {**self.model_dump(), "price": Decimal128(self.price)}


class BatchItem(Sent):
    """One product of a batch, with a key of its own."""

    product: ProductDraft
    idempotency_key: IdempotencyKey | None = None


class Batch(Sent):
    """Up to 1,000 products. Each item is a BatchItem, judged on its own: one that is wrong hides none of the others."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"product": _EXAMPLE}]}]})

    items: Annotated[list[JsonValue], Field(min_length=1, max_length=MAX_BATCH_ITEMS)]


# Written out, a number such as 1E+999999999 of another program would fill the memory.
_MAX_EXPONENT = 100


def _decimal(value: Any) -> Decimal:
    # Other programs store prices as they like; what is read is given as it is stored, without inventing digits.
    try:
        number = value.to_decimal() if isinstance(value, Decimal128) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError("a price is a number") from None
    if not number.is_finite() or number < 0:
        raise ValueError("a price is a finite number, at least 0")
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueError("a price has a size that can be written out")
    return number.copy_abs()  # there is a -0 too


def _version(value: Any) -> Any:
    # "3" and true would be read as numbers, and the document then not be found by them when it is to be changed.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a version is a number")  # noqa: TRY004  # as pydantic's own errors are
    return value


def _utc(moment: datetime) -> datetime:
    # Every replica must read the same, whatever its own time zone is.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC)
    except OverflowError:
        raise ValueError("a moment lies in the years 1 to 9999") from None


def rfc3339(moment: datetime) -> str:
    """Return a UTC moment to the millisecond, like `2026-11-21T10:00:00.123Z`."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


_Rfc3339 = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Moment = Annotated[datetime, AfterValidator(_utc), PlainSerializer(rfc3339, return_type=_Rfc3339, when_used="json")]


class Product(BaseModel):
    """A product as it is answered and heard.

    It is read leniently: a document that another program wrote is a product if it has an ObjectId, a name and a
    price. What else it has is ignored, what it lacks has the defaults of a draft.
    """

    # Whoever reads one may rely on every field.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    id: str
    name: Annotated[str, StringConstraints(min_length=1)]
    description: str = ""
    price: Annotated[
        Decimal,
        BeforeValidator(_decimal),
        PlainSerializer(lambda price: f"{price:f}", return_type=str, when_used="json"),
    ]
    currency: str = "USD"
    category: str = "general"
    tags: list[str] = []
    stock: Annotated[int | None, Field(ge=-(2**53), lt=2**53)] = None
    version: Annotated[int, Field(ge=0, lt=2**53), BeforeValidator(_version)] = 1
    created_at: Moment
    updated_at: Moment

    @property
    def event_id(self) -> str:
        """The id of the event that tells of this version."""
        return f"{self.id}-{self.version}"

    @property
    def deletion_id(self) -> str:
        """The id of the event that tells that this version was deleted."""
        return f"{self.event_id}-deleted"

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a stored document; raise ValueError (pydantic's) if it is not a product."""
        product_id = document.get("_id")
        if not isinstance(product_id, ObjectId):
            raise ValueError("a product has an ObjectId")  # noqa: TRY004  # as pydantic's own errors are
        born = product_id.generation_time
        return cls.model_validate({"created_at": born, "updated_at": born, **document, "id": str(product_id)})

    def draft_fields(self) -> dict[str, Any]:
        """Return what a caller may change, in the form of a draft."""
        return self.model_dump(mode="json", include=set(ProductDraft.model_fields))


class ProductPage(BaseModel):
    """A page of the catalogue, newest first."""

    items: list[Product]
    next_cursor: Annotated[str | None, Field(description="the `cursor` of the next page; null on the last one")]


class BatchResult(BaseModel):
    """What became of one item: the status and the body that a single create would have answered with."""

    status: int
    product: Product | None = None
    problem: Problem | None = None


class BatchResults(BaseModel):
    """One result for each item, in the order of the items."""

    results: list[BatchResult]
