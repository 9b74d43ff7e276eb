"""What becomes of numbered events, in the logs of each process that they pass: found by an event's id at every step.

An id begins with that of its product, so that either finds them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

# A line for a batch costs less than one for an event; but Docker's and others' logs cut a line at 16 KiB.
_A_LINE = 100


class _Numbered(Protocol):
    @property
    def seq(self) -> int: ...

    @property
    def id(self) -> str: ...


def log_events(say: Callable[..., Any], what: str, events: Sequence[_Numbered]) -> None:
    """Say what has become of consecutive events, with all of their ids, and nothing of what is in them.

    Args:
        say: A logger's method, such as `log.info`.
        what: What has become of them.
        events: In the order of their numbers.
    """
    for start in range(0, len(events), _A_LINE):
        told = events[start : start + _A_LINE]
        say(what, first_seq=told[0].seq, last_seq=told[-1].seq, event_ids=[event.id for event in told])
