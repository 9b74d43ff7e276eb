"""How many events fit into one request."""

from shared.events import Event


def within(max_bytes: int, events: list[Event]) -> list[Event]:
    """Return the first events that take up to `max_bytes` as JSON together, and at least one if there is any."""
    total = 0
    for count, event in enumerate(events):
        total += len(event.model_dump_json())
        if total > max_bytes and count:
            return events[:count]
    return events
