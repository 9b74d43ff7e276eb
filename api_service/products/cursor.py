"""The cursor of a page: the last id, sealed against mistakes such as use with another filter."""

import hashlib

from bson import ObjectId

from api_service.products.ids import parse_id
from shared.serving.http.errors import Invalid

_ID_DIGITS = 24
_SEAL_DIGITS = 12


def make_cursor(last_id: str, category: str | None, q: str | None) -> str:
    """Return the cursor that continues after `last_id` within the same filter."""
    return last_id + _seal(last_id, category, q)


def read_cursor(cursor: str, category: str | None, q: str | None) -> ObjectId:
    """Return the id to continue after; raise Invalid if the cursor was not made here for this filter."""
    last_id, seal = cursor[:_ID_DIGITS], cursor[_ID_DIGITS:]
    # Not a secret: whoever forges the seal gets a page that anyone may read.
    before = parse_id(last_id)
    if before is None or seal != _seal(last_id, category, q):
        raise Invalid.field("cursor", "use next_cursor of the page before, with the same category and q")
    return before


def _seal(last_id: str, category: str | None, q: str | None) -> str:
    sealed = "\0".join((last_id, category or "", q or ""))
    return hashlib.sha256(sealed.encode()).hexdigest()[:_SEAL_DIGITS]
