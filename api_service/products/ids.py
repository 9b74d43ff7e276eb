"""Product ids: ObjectIds that sort by creation to the millisecond, so that newest-first is the order of the ids."""

import os
import re
import time

from bson import ObjectId

_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_RANDOM_BYTES = 6


def new_id(now_ms: int | None = None) -> ObjectId:
    """Make an id: 4 bytes of Unix time in seconds (as in any ObjectId), 2 of milliseconds, 6 random ones.

    The driver's own ids put a random number of the process after the second: the ids of several replicas would sort
    by replica within each second.
    """
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000 if now_ms is None else now_ms, 1000)
    return ObjectId(seconds.to_bytes(4) + milliseconds.to_bytes(2) + os.urandom(_RANDOM_BYTES))


def parse_id(text: str) -> ObjectId | None:
    """Return the id that `text` is, or None if it is none."""
    return ObjectId(text) if _ID.fullmatch(text) else None
