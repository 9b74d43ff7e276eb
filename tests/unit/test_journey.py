from typing import Any

from shared.journey import log_events
from tests.events import events


def test_a_line_has_all_ids_and_no_line_is_too_long_for_a_collector() -> None:
    """Docker's log driver cuts at 16 KiB: a large batch is told of in several lines. None tells what is in an event."""
    told: list[dict[str, Any]] = []

    log_events(lambda what, **facts: told.append({"what": what, **facts}), "relayed", events(7, 256))

    assert [(line["what"], line["first_seq"], line["last_seq"]) for line in told] == [
        ("relayed", 7, 106),
        ("relayed", 107, 206),
        ("relayed", 207, 256),
    ]
    assert [each for line in told for each in line["event_ids"]] == [f"id-{seq}" for seq in range(7, 257)]
    assert set(told[0]) == {"what", "first_seq", "last_seq", "event_ids"}


def test_nothing_is_said_of_no_events() -> None:
    """A batch that was known already is no line."""
    told: list[str] = []

    log_events(told.append, "taken", [])

    assert not told
