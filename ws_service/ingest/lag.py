"""How late an event is. Pure."""

from datetime import datetime


def lag_s(time: str, now: datetime) -> float | None:
    """Return the seconds from an event's `time` (RFC 3339) until `now`; None if it says none that can be read.

    Two clocks are compared: what looks like less than nothing is 0.
    """
    try:
        return max(0.0, (now - datetime.fromisoformat(time)).total_seconds())
    except (TypeError, ValueError):
        return None  # TypeError: a time without a zone
