"""Trying again: what has failed for a reason that may pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from deploy.cli.errors import CommandError, Unavailable
from shared.backoff import Backoff

_Result = TypeVar("_Result")

LONGEST_PAUSE_S = 5.0


async def patiently(
    call: Callable[[], Awaitable[_Result]],
    within_s: float,
    passing: tuple[type[CommandError], ...] = (Unavailable,),
) -> _Result:
    """Return the call's result; repeat it, with growing pauses, while what it raises may pass and time is left."""
    backoff = Backoff(LONGEST_PAUSE_S)
    deadline = time.monotonic() + within_s
    while True:
        try:
            return await call()
        except passing as error:
            pause_s = max(backoff.next_s(), error.retry_after_s)
            if time.monotonic() + pause_s > deadline:
                raise
        await asyncio.sleep(pause_s)
