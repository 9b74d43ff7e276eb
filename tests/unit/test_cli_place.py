from typing import Any

import pytest

from deploy.cli.tail.place import Place


def numbered(offset: str) -> dict[str, Any]:
    return {"event": "new_product", "payload": {}, "meta": {}, "offset": offset}


def welcome(position: str | None, *, recovered: bool) -> dict[str, Any]:
    return {"position": position, "recovered": recovered, "replayed": 0}


def test_it_begins_where_the_emitter_is() -> None:
    """A connection that is lost before any event goes on from there: what happens meanwhile is not missed."""
    place = Place()
    assert place.after is None
    assert place.begin(welcome("e1:16", recovered=False)) is None
    assert place.after == "e1:16"


def test_each_event_moves_it_and_none_counts_twice() -> None:
    """Also not one that came by an earlier connection."""
    place = Place("e1:2")
    assert place.begin(welcome("e1:4", recovered=True)) is None
    assert [place.hear(numbered(f"e1:{seq}")) for seq in (3, 4)] == [True, True]
    place.begin(welcome("e1:5", recovered=True))
    assert [place.hear(numbered(f"e1:{seq}")) for seq in (4, 3, 5, 5, 7)] == [False, False, True, False, True]
    assert place.after == "e1:7"


def test_what_has_no_number_is_always_new() -> None:
    """Messages are not part of the log."""
    place = Place("e1:2")
    assert place.hear({"event": "chat", "payload": "hello", "meta": {}})
    assert place.after == "e1:2"


@pytest.mark.parametrize(
    ("position", "missed"),
    [("e1:9", "events between e1:2 and e1:9 were missed"), (None, "events between e1:2 and now were missed")],
)
def test_what_cannot_be_made_good_is_said(position: str | None, missed: str) -> None:
    """Once: from then on it goes on from where the emitter is, if that knows it."""
    place = Place("e1:2")
    assert place.begin(welcome(position, recovered=False)) == missed
    assert place.after == position
    assert place.begin(welcome(position, recovered=position is not None)) is None


def test_another_epoch_begins_anew() -> None:
    """Numbers of a database that was replaced say nothing about those of the new one."""
    place = Place("old:900")
    place.begin(welcome("old:900", recovered=True))
    assert place.begin(welcome("new:3", recovered=False)) == "events between old:900 and new:3 were missed"
    assert [place.hear(numbered(f"new:{seq}")) for seq in (3, 4)] == [False, True]


def test_a_bare_number_is_a_place() -> None:
    """As the protocol has it: `--after 0` is everything."""
    place = Place("0")
    assert place.begin(welcome("e1:1", recovered=True)) is None
    assert place.hear(numbered("e1:1"))
    assert place.after == "e1:1"
