import pytest

from tests.unit.test_nodes import beat
from ws_service.balancing.assign import Assigner
from ws_service.balancing.excess import beyond_mean, excess
from ws_service.balancing.lasting import LOOKS, Lasting


@pytest.mark.parametrize(
    ("own", "others", "shed"),
    [
        (1_000, [1_000, 0], 333),  # a third emitter has come
        (800, [600, 600], 0),  # within a quarter above the mean
        (900, [600, 600], 200),
        (30, [0, 0], 20),
        (20, [0, 0], 0),  # so few are not worth a reconnect
        (5_000, [], 0),  # alone
        (0, [1_000], 0),
        (0, [], 0),
    ],
)
def test_who_has_a_quarter_more_than_the_mean_sheds_down_to_it(own: int, others: list[int], shed: int) -> None:
    """Neither below the mean, which would make others shed in turn, nor for a few."""
    assert excess(own, others) == shed


def test_the_clients_of_an_emitter_that_drains_are_on_their_way() -> None:
    """Nobody sheds whom the next second would send back: an emitter is to be filled by those that drain anyway."""
    assert excess(1_000, [0], moving=1_000) == 0
    assert excess(1_000, [0], moving=200) == 400
    assert beyond_mean(900, [200], moving=1_000) < 0


def test_a_crowd_that_comes_is_no_excess() -> None:
    """Of each emitter's clients the others hear a second late: what is gone at the next look was never there."""
    lasting = Lasting()
    assert [lasting.look(count) for count in (250, 120, 0, 40, 50, 30, 60)] == [0, 0, 0, 0, 0, 30, 30]
    lasting.forget()
    assert [lasting.look(60) for _ in range(LOOKS)] == [0, 0, 60]


def test_the_least_loaded_emitter_is_assigned() -> None:
    """Connections, weighed with how late the event loop is; only who is ready and has an address counts."""
    beats = [
        beat("a", url="http://a", connections=100),
        beat("b", url="http://b", connections=80, lag_ms=40.0),
        beat("c", url="http://c", connections=10, state="draining"),
        beat("d", connections=0),
    ]
    chosen = Assigner().choose(beats)
    assert chosen is not None
    assert chosen.node == "a"
    assert Assigner().choose(beats[2:]) is None


def test_a_crowd_is_spread_before_the_next_heartbeat() -> None:
    """Of a thousand that ask within a second, not all are sent to the one that was the emptiest before."""
    assigner = Assigner()
    beats = [beat("a", url="http://a", connections=10), beat("b", url="http://b", connections=0)]
    chosen = [found.node for _ in range(100) if (found := assigner.choose(beats))]
    assert chosen.count("b") == 55
    # Who has come since is in the next heartbeats.
    beats = [beat("a", 2, url="http://a", connections=55), beat("b", 2, url="http://b", connections=55)]
    chosen = [found.node for _ in range(10) if (found := assigner.choose(beats))]
    assert chosen.count("b") == 5
