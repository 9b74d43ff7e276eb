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

OF_CONNECTIONS = frozenset(
    {
        # What the emitter says to one client.
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
"""Names of events that are about one client's connection: no message may have them, whoever sends it."""

RESERVED_EVENTS = OF_CONNECTIONS | {"new_product", "product_updated", "product_deleted", "resync"}
"""Names that are not anybody's to give: with the others of them one would seem to be Storecast."""


def check_pushed_event(event: str) -> str:
    """Return a name that whoever has the emitter secret may give a message; raise ValueError."""
    return _checked(event, OF_CONNECTIONS)


def check_event(event: str) -> str:
    """Return a name that anybody may give a message; raise ValueError."""
    return _checked(event, RESERVED_EVENTS)


def _checked(event: str, reserved: frozenset[str]) -> str:
    if event in reserved:
        raise ValueError("this name has a meaning of its own: use another")
    if _HALF_CHARACTER.search(event):
        raise ValueError("halves of surrogate pairs are not allowed")
    return event


def _none_of(reserved: frozenset[str]) -> JsonDict:
    return {"not": {"enum": [*sorted(reserved)]}}


PushedEventName = Annotated[
    str,
    Field(min_length=1, max_length=100, json_schema_extra=_none_of(OF_CONNECTIONS)),
    AfterValidator(check_pushed_event),
]
"""A name that whoever has the emitter secret may give a message."""

EventName = Annotated[
    str, Field(min_length=1, max_length=100, json_schema_extra=_none_of(RESERVED_EVENTS)), AfterValidator(check_event)
]
"""A name that anybody may give a message."""


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
