"""The one event that crosses from the product API to the emitter and on to every subscriber."""

from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

EVERYONE = "*"
"""A topic that every subscriber is in, whatever it asked for: for what no one may miss, like `resync`."""

PRODUCTS = "products"
"""The default topic: every change of every product."""

_MAX_DIGITS = 18  # fits MongoDB's 64-bit integers

OFFSET_PATTERN = rf"^[^:]+:[0-9]{{1,{_MAX_DIGITS}}}$"
"""What `Position.parse` reads."""

Offset = Annotated[str, Field(pattern=OFFSET_PATTERN, description="`epoch:seq`: the place to go on from")]
"""A position as it stands in events and in `after`."""


class Event(BaseModel):
    """A committed change under its number.

    Unknown fields are ignored, so that a newer API can talk to an older emitter.
    """

    model_config = ConfigDict(frozen=True)

    seq: Annotated[int, Field(ge=1, le=2**53 - 1, description="1, 2, 3, ... without gaps, in commit order")]
    id: str = ""
    event: Annotated[str | None, Field(description="null for a parked event: its number is taken, nobody hears it")]
    payload: JsonValue = None
    topics: tuple[str, ...] = ()
    time: Annotated[str, Field(description="when the change was committed: RFC 3339, UTC")] = ""


def is_seq(text: str) -> bool:
    """Tell whether a text is a number in the log."""
    # isdecimal alone lets other scripts' digits through.
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS


class Position(NamedTuple):
    """A place in the numbered log of one epoch: everything up to and including `seq` was heard."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        """Return the offset as it stands in events and in `after`: `epoch:seq`."""
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, offset: str) -> Self:
        """Read `epoch:seq`; raise ValueError for anything else."""
        epoch, separator, seq = offset.partition(":")
        if not (epoch and separator and is_seq(seq)):
            raise ValueError("an offset looks like EPOCH:SEQ, as it came with an event")
        return cls(epoch, int(seq))
