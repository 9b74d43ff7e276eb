"""Waiting on a condition with a deadline: the only way in which a test waits."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_INTERVAL_S = 0.02
TRIES = 5
WITHIN_S = 30
"""For whatever takes a moment: a busy machine may stand still for many seconds, and who waits in vain has time."""


@overload
async def eventually(condition: Callable[[], Awaitable[T | None]], *, message: str, timeout_s: float = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T | None], *, message: str, timeout_s: float = ...) -> T: ...
async def eventually(condition: Callable[[], Any], *, message: str, timeout_s: float = WITHIN_S) -> Any:
    """Ask until the answer is true, and return it.

    Args:
        condition: A function, plain or async, without side effects; it is asked at least once.
        message: What was waited for, as it stands in the failure.
        timeout_s: How long to go on asking.

    Raises:
        AssertionError: The answer was still false at the deadline; it is shown.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{message}: not within {timeout_s:g} s, last seen: {value!r}")
        await asyncio.sleep(POLL_INTERVAL_S)


async def quick(act: Callable[[], Awaitable[float]], *, under_s: float, message: str) -> None:
    """Have something done until it took less than a time, a few times at the most.

    A busy machine makes one try slow, or two; what waits for a time-out of ours is as slow each time.

    Args:
        act: Does it, and returns how many seconds that took.
        under_s: What it may take.
        message: What is quick, as it stands in the failure.

    Raises:
        AssertionError: It never took less; all times are shown.
    """
    took_s: list[float] = []
    while not took_s or took_s[-1] >= under_s:
        if len(took_s) == TRIES:
            raise AssertionError(
                f"{message}: not under {under_s:g} s, but {', '.join(f'{each:.2f}' for each in took_s)}"
            )
        took_s.append(await act())
