"""A clock that a test puts forward, so that nothing has to happen before a moment that a busy machine may miss."""

import asyncio
import time
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import Self

import pytest
from jwt import api_jwt

from ws_service.sockets import standing

_LOOKS_EVERY_S = 0.02


class Clock:
    """The clock of whatever asks in this process whether a token has expired."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    @classmethod
    def placed(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Have an emitter's sockets go by it, and look at it all the time; and what verifies a token."""
        clock = cls()

        class Now(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls.fromtimestamp(clock.time(), tz)

        monkeypatch.setattr(standing, "time", SimpleNamespace(time=clock.time))
        monkeypatch.setattr(standing, "_LONGEST_S", _LOOKS_EVERY_S)
        monkeypatch.setattr(api_jwt, "datetime", Now)
        return clock

    def time(self) -> float:
        """Return the seconds since 1970."""
        return time.time() + self._ahead_s

    async def put_forward(self, seconds: float) -> None:
        """Have so much time pass; whoever has something to do then has done it."""
        self._ahead_s += seconds
        # The loop runs its timers in their order, however late it is.
        await asyncio.sleep(2 * _LOOKS_EVERY_S)
