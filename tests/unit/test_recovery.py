import pytest
from pydantic import ValidationError

from shared.events import Position
from tests.events import entries
from ws_service.ingest.history import History
from ws_service.sockets import recovery
from ws_service.sockets.requests import Handshake

NOW = Position("e1", 10)


@pytest.fixture
def history() -> History:
    """Numbers 6 to 10 are kept."""
    history = History(5, 10**9)
    for each in entries(1, 10):
        history.append(each)
    return history


def start(history: History, now: Position | None = NOW, **auth: object) -> recovery.Start:
    return recovery.start(Handshake.model_validate(auth), now, history)


def test_a_first_connection_begins_now(history: History) -> None:
    """Who has heard nothing before is sent nothing old, and is given a pid that holds the position."""
    begun = start(history)
    assert begun.position == NOW
    assert not begun.recovered
    assert begun.pid.startswith("e1:10:")


def test_every_first_connection_has_a_pid_of_its_own(history: History) -> None:
    """A pid cannot be guessed from another one."""
    assert start(history).pid != start(history).pid


def test_the_stock_client_recovers_by_pid_and_offset(history: History) -> None:
    """The client that is given its own pid back calls itself recovered."""
    begun = start(history, pid="e1:2:random", offset="e1:8")
    assert begun == recovery.Start(Position("e1", 8), recovered=True, pid="e1:2:random")


def test_a_client_that_had_heard_nothing_yet_recovers_by_its_pid(history: History) -> None:
    """The pid holds the position of the first connection."""
    assert start(history, pid="e1:7:random").position == Position("e1", 7)


def test_an_offset_that_is_none_recovers_nothing(history: History) -> None:
    """Where some other event's last argument took the offset's place, nobody knows what was heard: no doubles."""
    assert not start(history, pid="e1:7:random", offset="hello").recovered


def test_the_later_of_pid_and_offset_counts(history: History) -> None:
    """The stock client keeps its last offset when it could not be recovered, and its new pid is further on."""
    assert start(history, pid="e1:9:random", offset="e1:3").position == Position("e1", 9)
    assert start(history, pid="e1:9:random", offset="e0:30").position == Position("e1", 9)


def test_other_clients_recover_by_after(history: History) -> None:
    """`after` gives exactly what came after it."""
    begun = start(history, after="e1:9")
    assert begun.position == Position("e1", 9)
    assert begun.recovered


def test_a_fixed_after_is_not_replayed_at_each_reconnect(history: History) -> None:
    """The client's own place counts more than what the page once gave."""
    assert start(history, after="e1:6", pid="e1:6:random", offset="e1:9").position == Position("e1", 9)


@pytest.mark.parametrize("after", ["e1:4", "e0:9"])
def test_there_is_no_partial_recovery(history: History, after: str) -> None:
    """Beyond the history, or of another epoch, nothing is replayed and the client is told."""
    begun = start(history, after=after)
    assert begun.position == NOW
    assert not begun.recovered
    unrecovered = start(history, pid="e1:1:random", offset=after)
    assert not unrecovered.recovered
    assert unrecovered.pid != "e1:1:random"


def test_a_client_ahead_of_its_emitter_keeps_its_place(history: History) -> None:
    """An emitter that is still catching up sends such a client nothing twice."""
    assert start(history, after="e1:12").position == Position("e1", 12)


def test_without_a_position_nothing_is_recovered(history: History) -> None:
    """A socket that could not wait for the hand-over is taken without recovery."""
    begun = start(history, now=None, after="e1:9")
    assert begun.position is None
    assert not begun.recovered
    assert Position.parse(begun.pid.rpartition(":")[0]) == Position("none", 0)


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        ({"topics": []}, "topics"),
        ({"topics": ["nonsense"]}, "topics.0"),
        ({"topics": ["category:Not A Slug"]}, "topics.0"),
        ({"topics": ["user:1"]}, "topics.0"),
        ({"topics": ["products"] * 101}, "topics"),
        ({"topics": "products"}, "topics"),
        ({"after": 3}, "after"),
        ({"after": "x"}, "after"),
        ({"topic": ["products"]}, "topic"),
        ([], ""),
        ("token", ""),
    ],
)
def test_a_bad_handshake_names_the_field(auth: object, field: str) -> None:
    """A client that asks for what there is not is refused, and never just sent everything."""
    with pytest.raises(ValidationError) as refused:
        Handshake.model_validate(auth)
    assert ".".join(str(part) for part in refused.value.errors()[0]["loc"]) == field
