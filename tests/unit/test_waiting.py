import pytest

from tests.waiting import eventually


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
