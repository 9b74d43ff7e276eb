import pytest

from tests.waiting import TRIES, eventually, quick


async def test_the_first_true_answer_is_returned() -> None:
    """A condition is asked again until its answer is true, and that answer is what the test gets."""
    answers = iter(["", "", "here"])

    assert await eventually(lambda: next(answers), message="an answer comes") == "here"


async def test_an_async_condition_is_awaited() -> None:
    """A condition may be a coroutine function; its result counts, not the coroutine."""
    answers = iter([0, 7])

    async def condition() -> int:
        return next(answers)

    assert await eventually(condition, message="a number comes") == 7


async def test_the_failure_says_what_was_waited_for_and_what_was_seen() -> None:
    """After the deadline the test fails with the message, the time and the last answer."""
    with pytest.raises(AssertionError, match=r"the door opens: not within 0\.05 s, last seen: ''"):
        await eventually(lambda: "", message="the door opens", timeout_s=0.05)


async def test_what_is_slow_once_may_be_quick() -> None:
    """A machine that stood still for a moment fails no test."""
    took_s = iter([3.0, 0.1])

    async def act() -> float:
        return next(took_s)

    await quick(act, under_s=1, message="it is done")
    assert not list(took_s)


async def test_what_is_slow_each_time_is_not_quick() -> None:
    """The failure says what was slow, and how slow."""
    tries = 0

    async def act() -> float:
        nonlocal tries
        tries += 1
        return 1 + tries

    with pytest.raises(AssertionError, match=r"it is done: not under 2 s, but 2\.00, 3\.00, "):
        await quick(act, under_s=2, message="it is done")
    assert tries == TRIES
