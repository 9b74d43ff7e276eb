import asyncio

import pytest

from shared.serving.deadlines import Deadlines
from tests.waiting import eventually

DELAY_S = 0.5


class Clock:
    """Deadlines, and when each thing was due, in seconds after it was added."""

    def __init__(self) -> None:
        self.due: dict[int, float] = {}
        self.deadlines = Deadlines[int](DELAY_S, self.is_due)
        self._added: dict[int, float] = {}

    def add(self, thing: int) -> None:
        """Begin to wait."""
        self._added[thing] = asyncio.get_running_loop().time()
        self.deadlines.add(thing)

    def is_due(self, thing: int) -> None:
        """Note it."""
        self.due[thing] = asyncio.get_running_loop().time() - self._added[thing]

    async def all_due(self, things: int) -> None:
        """Wait until so many things were due."""
        await eventually(lambda: len(self.due) == things, message="all are due")


async def test_each_is_due_once_its_time_is_over_in_the_order_in_which_they_came() -> None:
    """Not before, and none of those that wait no more."""
    clock = Clock()
    for thing in range(3):
        clock.add(thing)
    clock.deadlines.discard(1)
    await clock.all_due(2)
    assert list(clock.due) == [0, 2]
    assert min(clock.due.values()) >= DELAY_S
    assert len(clock.deadlines) == 0


async def test_one_that_is_added_while_others_are_due_does_not_keep_them_waiting() -> None:
    """More than are dealt with in a turn: the rest comes in the next one, and not a whole time later."""
    clock = Clock()
    many = 1_000
    later: list[int] = []

    def is_due(thing: int) -> None:
        Clock.is_due(clock, thing)
        if thing == 0:
            clock.add(many)
            asyncio.get_running_loop().call_later(0.9 * DELAY_S, lambda: later.append(len(clock.due)))

    clock.deadlines = Deadlines[int](DELAY_S, is_due)
    for thing in range(many):
        clock.add(thing)
    await clock.all_due(many + 1)
    assert list(clock.due) == [*range(many), many]
    assert later == [many]


async def test_what_fails_does_not_stop_the_clock() -> None:
    """Of others: their turn comes all the same."""
    clock = Clock()
    failed: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))

    def is_due(thing: int) -> None:
        if thing == 0:
            raise ValueError("a fault")
        Clock.is_due(clock, thing)

    clock.deadlines = Deadlines[int](DELAY_S, is_due)
    try:
        clock.add(0)
        clock.add(1)
        await clock.all_due(1)
    finally:
        loop.set_exception_handler(None)
    with pytest.raises(ValueError, match="a fault"):
        raise failed[0]
