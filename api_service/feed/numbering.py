"""From changes to numbered entries: a pure function, so that any leader gives a change the same number and content."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from bson import ObjectId
from typing_extensions import TypedDict

from api_service.database import Document
from api_service.feed.changes import Change, Token
from api_service.feed.event_log import Entry
from api_service.products.schemas import Product
from shared.events import EVERYONE, PRODUCTS

_EVENTS = {
    "insert": "new_product",
    "update": "product_updated",
    "replace": "product_updated",
    "delete": "product_deleted",
}
RESYNC = "resync"


class Gone(TypedDict):
    """A product that was deleted, of which no more is known than its id."""

    id: str


class Resync(TypedDict):
    """Changes cannot be told one by one, and why: read the products anew."""

    reason: str


PAYLOADS: dict[str, Any] = {
    **dict.fromkeys(_EVENTS.values(), Product),
    _EVENTS["delete"]: Product | Gone,
    RESYNC: Resync,
}
"""What each event tells, by its name."""


class Numbered(NamedTuple):
    """The entries that a batch of changes became, and the changes that are not about a product."""

    entries: list[Entry]
    passed_over: list[Change]


def number(changes: Iterable[Change], last: int) -> Numbered:
    """Give the changes the numbers after `last`. A change that is not about a product has none."""
    result = Numbered([], [])
    for change in changes:
        entry = _entry(change, last + 1 + len(result.entries))
        if entry is not None:
            result.entries.append(entry)
        elif change.operation in _EVENTS:
            result.passed_over.append(change)
    return result


def resync(seq: int, reason: str, time: datetime, token: Token) -> Entry:
    """Return the event that tells everyone to read the products anew: some changes cannot be told one by one."""
    payload: Resync = {"reason": reason}
    return Entry(seq, f"{RESYNC}-{seq}", RESYNC, payload, [EVERYONE], time, token)


def _entry(change: Change, seq: int) -> Entry | None:
    if change.operation == "invalidate":
        return resync(seq, "the products were dropped or renamed", change.time, change.token)
    if change.operation not in _EVENTS:
        return None
    if change.image_lost:
        return resync(seq, "what a change left was not kept", change.time, change.token)
    after, before = _product(change.after), _product(change.before)
    if change.operation == "delete":
        return _deleted(change, seq, before)
    if after is None:
        # A program that makes a product something else takes it out of the catalogue.
        return _deleted(change, seq, before) if before is not None else None
    return Entry(
        seq=seq,
        id=after.event_id,
        event=_EVENTS[change.operation],
        payload=after.model_dump(mode="json"),
        topics=_topics(before, after),
        time=change.time,
        token=change.token,
    )


def _deleted(change: Change, seq: int, before: Product | None) -> Entry | None:
    payload: dict[str, Any] | Gone
    if before is not None:
        payload, event_id, topics = before.model_dump(mode="json"), before.deletion_id, _topics(before)
    elif change.before is None and isinstance(change.key, ObjectId):
        # The image was not kept or too large: that it is gone must be heard all the same.
        payload, event_id = {"id": str(change.key)}, f"{change.key}-0-deleted"
        topics = [PRODUCTS, f"product:{change.key}"]
    else:
        return None
    return Entry(seq, event_id, _EVENTS["delete"], payload, topics, change.time, change.token)


def _product(document: Document | None) -> Product | None:
    if document is None:
        return None
    try:
        return Product.from_document(document)
    except ValueError:
        return None


def _topics(*images: Product | None) -> list[str]:
    # Old and new together: whoever watches the old category hears the product leave it.
    topics = [PRODUCTS]
    for product in images:
        if product is not None:
            topics += [f"category:{product.category}", f"product:{product.id}"]
    return list(dict.fromkeys(topics))
