from itertools import pairwise

from tests.chaos.schedule import KINDS, LONG_STOP_S, SHORT_OF_MANY_S, SHORT_S, WARM_UP_S, Role, kinds, schedule


def test_the_same_seed_repeats_the_same_schedule() -> None:
    """A run that found something can be run again; another seed is another run."""
    assert schedule(300, 7) == schedule(300, 7)
    assert schedule(300, 7) != schedule(300, 8)


def test_five_minutes_have_sixty_faults_of_every_kind() -> None:
    """Each kind of fault happens several times, and each kind of stop is a long one once, whatever the seed."""
    for seed in range(50):
        faults = schedule(300, seed)
        assert len(faults) >= 60
        assert {fault.kind for fault in faults} == set(KINDS)
        long_stops = [fault.kind for fault in faults if fault.stop_s == LONG_STOP_S]
        assert sorted(long_stops) == sorted(kind for kind in KINDS if kind.action == "SIGSTOP")


def test_a_short_run_has_every_kind_once() -> None:
    """The short form is over soon and has left nothing out, and no long stop takes its time."""
    for seed in range(50):
        faults = schedule(SHORT_S, seed)
        assert {fault.kind for fault in faults} == set(KINDS)
        assert max(fault.stop_s for fault in faults) <= 2


def test_one_fault_at_a_time() -> None:
    """A fault begins when the one before is over and has had its pause; the last one is over within the run."""
    faults = schedule(120, 1)
    assert faults[0].at_s == WARM_UP_S
    for fault, following in pairwise(faults):
        assert following.at_s >= fault.at_s + fault.stop_s + fault.kind.pause_s
    assert faults[-1].at_s + faults[-1].stop_s <= 120


def test_a_run_too_short_for_any_fault() -> None:
    """It is nothing to stumble over."""
    assert schedule(2, 1) == []


def test_many_emitters_are_broken_in_more_ways() -> None:
    """They are drained, too, and their Redis dies and hangs; all that can happen to one emitter happens as well."""
    more = {str(kind) for kind in kinds(3)} - {str(kind) for kind in KINDS}
    assert more == {"SIGTERM emitter", "kill -9 redis", "SIGSTOP redis"}
    assert set(kinds(3)) > set(kinds(1)) == set(KINDS)


def test_a_run_can_be_for_some_roles_alone() -> None:
    """Each kind of fault that can happen to them happens once in the short form."""
    wanted = kinds(3, {Role.EMITTER, Role.REDIS})
    assert {kind.role for kind in wanted} == {Role.EMITTER, Role.REDIS}
    for seed in range(50):
        assert {fault.kind for fault in schedule(SHORT_OF_MANY_S, seed, wanted)} == set(wanted)
