from tests.chaos.schedule import KINDS, Fault
from tests.chaos.silence import Injected, complete_after, longest_silences


def fault(began_ms: float, ended_ms: float = 0.0) -> Injected:
    """Return a fault of whatever kind."""
    return Injected(Fault(0.0, KINDS[0], 0.0, 0.0), "emitter-1", began_ms, ended_ms)


def test_a_silence_belongs_to_the_fault_that_most_of_it_lies_in() -> None:
    """It may begin a little before its fault, and last into the next one."""
    faults = [fault(1_000), fault(4_800), fault(9_000)]
    times = [990, 4_900, 4_950, 8_500, 9_100, 9_115]
    assert longest_silences(times, faults) == [3_910, 3_550, 0]
    assert longest_silences([*times, 9_400], faults) == [3_910, 3_550, 285]


def test_what_was_before_the_first_fault_is_nobodys() -> None:
    """The warm-up is no fault, nor is a run without any."""
    assert longest_silences([0, 900], [fault(1_000)]) == [0]
    assert longest_silences([0, 900], []) == []


def test_the_order_in_which_subscribers_are_asked_does_not_matter() -> None:
    """The times of several subscribers are one sequence."""
    assert longest_silences([1_500, 1_000, 1_400, 1_100], [fault(900)]) == [300]


def test_complete_when_the_last_subscriber_has_all_that_was_before() -> None:
    """What is committed after the fault's end is not waited for; who had all before its end waited for nothing."""
    commits = [100.0, 200.0, 300.0]
    arrivals = [[101.0, 450.0, 999.0], [102.0, 420.0, 999.0]]
    assert complete_after(fault(150, 250), commits, arrivals) == 200
    assert complete_after(fault(150, 190), commits, arrivals) == 0
    assert complete_after(fault(0, 50), commits, arrivals) == 0
