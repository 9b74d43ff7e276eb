"""Which fault happens when: a function of the run's length and a seed, so that a run can be repeated."""

import random
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

SHORT_S = 47
"""In so many seconds every kind of fault happens once to a system with one emitter."""
SHORT_OF_MANY_S = 28
"""In so many seconds every kind of fault happens once to the emitters of a system with several, and to their Redis."""
WARM_UP_S = 2.0
LONG_STOP_S = 16.0
LONG_STOPS_SHARE = 1 / 3
"""How much of a run may be spent on long stops, in which little else happens."""


class Action(StrEnum):
    """What is done to a process."""

    KILL = "kill -9"
    TERMINATE = "SIGTERM"
    STOP = "SIGSTOP"


class Role(StrEnum):
    """What the process is for at that time; several may have the same role."""

    EMITTER = "emitter"
    LEADER = "leader"
    FOLLOWER = "follower"
    PRIMARY = "primary"
    SECONDARY = "secondary"
    GATEWAY = "gateway"
    REDIS = "redis"


class Kind(NamedTuple):
    """A kind of fault, and how long the system is then left to itself before the next one."""

    action: Action
    role: Role
    pause_s: float

    def __str__(self) -> str:
        return f"{self.action} {self.role}"


KINDS = (
    Kind(Action.KILL, Role.EMITTER, 5.0),
    Kind(Action.KILL, Role.LEADER, 4.5),
    Kind(Action.KILL, Role.FOLLOWER, 1.5),
    Kind(Action.KILL, Role.PRIMARY, 4.5),
    Kind(Action.KILL, Role.SECONDARY, 2.0),
    Kind(Action.KILL, Role.GATEWAY, 2.0),
    Kind(Action.TERMINATE, Role.LEADER, 1.5),
    Kind(Action.STOP, Role.EMITTER, 2.0),
    Kind(Action.STOP, Role.LEADER, 2.0),
    Kind(Action.STOP, Role.FOLLOWER, 1.5),
    Kind(Action.STOP, Role.PRIMARY, 2.0),
    Kind(Action.STOP, Role.SECONDARY, 1.5),
    Kind(Action.STOP, Role.GATEWAY, 1.5),
)
"""What can happen to a system with one emitter."""

_OF_MANY = (
    Kind(Action.TERMINATE, Role.EMITTER, 4.0),  # a lone one has nobody to hand its clients to
    Kind(Action.KILL, Role.REDIS, 3.0),  # it comes back empty
    Kind(Action.STOP, Role.REDIS, 3.0),
)


def kinds(emitters: int, roles: Collection[Role] = ()) -> Sequence[Kind]:
    """Return what can happen to a system with so many emitters; to processes of these roles alone, if any are given."""
    possible = KINDS if emitters == 1 else (*KINDS, *_OF_MANY)
    return [kind for kind in possible if not roles or kind.role in roles]


class Fault(NamedTuple):
    """One fault. `stop_s` is for a stop; `choice`, from 0 to 1, says which of several processes of the role it hits."""

    at_s: float
    kind: Kind
    stop_s: float
    choice: float


def schedule(seconds: float, seed: int, kinds: Sequence[Kind] = KINDS) -> list[Fault]:
    """Return the faults of a run: every kind in turn, in an order that changes, until the time is over.

    The first round has short stops only. From the second on, each kind of stop is once a long one, as long as these
    take no more than their share of the run.
    """
    rng = random.Random(seed)  # noqa: S311 - it has to repeat itself, not to be unpredictable
    long_stops_left = int(seconds * LONG_STOPS_SHARE / LONG_STOP_S)
    had_long_stop: set[Kind] = set()
    faults: list[Fault] = []
    at_s = WARM_UP_S
    for number, kind in enumerate(_rounds(rng, kinds)):
        stop_s = rng.uniform(1, 2) if kind.action is Action.STOP else 0.0
        if stop_s and number >= len(kinds) and kind not in had_long_stop and len(had_long_stop) < long_stops_left:
            had_long_stop.add(kind)
            stop_s = LONG_STOP_S
        end_s = at_s + stop_s + kind.pause_s
        if end_s > seconds:
            return faults
        faults.append(Fault(at_s, kind, stop_s, rng.random()))
        at_s = end_s + rng.uniform(0, 0.3)
    raise AssertionError("the rounds never end")


def _rounds(rng: random.Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    while True:
        yield from rng.sample(kinds, len(kinds))
