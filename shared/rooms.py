"""Whom a message can be for: one user, one device, or all who hear a topic."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

MAX_SUBJECT_LENGTH = 100

_SUBJECT = re.compile(rf"[A-Za-z0-9._@-]{{1,{MAX_SUBJECT_LENGTH}}}", re.ASCII)
PRIVATE = ("user:", "device:")
"""How the names of rooms begin that only a token leads into."""
# JSON can name one (RFC 8259, section 8.2), and no UTF-8 has it: it could not be sent on.
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")

RESERVED_EVENTS = frozenset(
    {
        # What Storecast itself says; nobody else may seem to.
        "new_product",
        "product_updated",
        "product_deleted",
        "resync",
        "welcome",
        "token_expiring",
        "token_expired",
        # What a client's own socket says.
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    }
)
"""Names of events that no message may have."""


def check_event(event: str) -> str:
    """Return a name that a message may have; raise ValueError."""
    if event in RESERVED_EVENTS:
        raise ValueError("this name has a meaning of its own: use another")
    if _HALF_CHARACTER.search(event):
        raise ValueError("halves of surrogate pairs are not allowed")
    return event


_NOT_RESERVED: JsonDict = {"not": {"enum": [*sorted(RESERVED_EVENTS)]}}
EventName = Annotated[
    str, Field(min_length=1, max_length=100, json_schema_extra=_NOT_RESERVED), AfterValidator(check_event)
]
"""A name that a message may have."""


def check_subject(subject: object) -> str:
    """Return the `sub` of a token; raise ValueError that says which are taken."""
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise ValueError(f"use 1 to {MAX_SUBJECT_LENGTH} letters, digits and . _ @ -")
    return subject


def private_rooms(subject: str) -> tuple[str, ...]:
    """Return the rooms that only a token leads into."""
    return tuple(f"{kind}{subject}" for kind in PRIVATE)


def is_private(room: str) -> bool:
    """Tell whether nobody may ask to be in the room."""
    return room.startswith(PRIVATE)
