import pytest

from tests.unit.test_nodes import beat
from ws_service.balancing.assign import Assigner
from ws_service.balancing.excess import excess


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
