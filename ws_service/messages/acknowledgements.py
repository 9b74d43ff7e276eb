"""Who acknowledged what was sent, with what, and who is waited for still."""

import asyncio
import base64
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from shared.metrics import limited
from shared.serving.http.errors import Unavailable
from ws_service.ingest.member import Member

MAX_WAITING = 1_000
# What all answers together may take until they are fetched; who answers beyond it has not acknowledged.
MAX_HELD_BYTES = 64 * 1024 * 1024
# Deeper than this not every reader of JSON goes.
_MAX_LEVELS = 64


class Wait:
    """One dispatch, and the sockets that were asked to acknowledge it."""

    def __init__(self, number: int, members: Sequence[Member]) -> None:
        self.number = number
        self.members = members
        # The answers by the id of the socket.
        self.answers: dict[str, list[Any]] = {}
        self.held_bytes = 0
        self.waited_for = {member.sid for member in members if member.acknowledges}
        self.timer: asyncio.TimerHandle | None = None
        self._over = asyncio.Event()

    def end(self) -> None:
        """Wait for nobody any longer."""
        self.waited_for.clear()
        if self.timer:
            self.timer.cancel()
        self._over.set()

    async def over(self) -> None:
        """Return when nobody is waited for any longer."""
        await self._over.wait()

    def acknowledged(self) -> Iterator[tuple[Member, list[Any]]]:
        """Return who acknowledged, with what."""
        return ((member, self.answers[member.sid]) for member in self.members if member.sid in self.answers)

    def unacknowledged(self) -> Iterator[Member]:
        """Return who was sent it and did not acknowledge it."""
        return (member for member in self.members if member.sid not in self.answers)


class Acknowledgements:
    """All dispatches that wait to be acknowledged. Each has a number, the same for every socket."""

    def __init__(self, max_answer_bytes: int) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._numbers = itertools.count()
        self._waits: dict[int, Wait] = {}
        self._held_bytes = 0

    def begin(self, members: Sequence[Member], timeout_ms: int) -> Wait:
        """Wait for the acknowledgements of a dispatch that is about to be sent; raise Unavailable.

        It ends by itself when all have come, and at the time-out.
        """
        if len(self._waits) >= MAX_WAITING:
            limited.labels("acknowledgements").inc()
            raise Unavailable(f"{MAX_WAITING} messages wait for acknowledgements already")
        wait = Wait(next(self._numbers), members)
        self._waits[wait.number] = wait
        wait.timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._end, wait)
        self._end_if_complete(wait)
        return wait

    def take(self, sid: str, number: int, arguments: list[Any]) -> bool:
        """Take an acknowledgement, and return whether it was waited for.

        One that was not is ignored: unknown, late, or the second of a socket.
        """
        wait = self._waits.get(number)
        if wait is None or sid not in wait.waited_for:
            return False
        try:
            answer = [_plain(argument, _MAX_LEVELS) for argument in arguments]
            size = len(orjson.dumps(answer))
        except (_TooDeep, TypeError):
            size = self._max_answer_bytes + 1
        if size <= min(self._max_answer_bytes, MAX_HELD_BYTES - self._held_bytes):
            self._held_bytes += size
            wait.held_bytes += size
            wait.answers[sid] = answer
        self._leave(wait, sid)
        return True

    def forget(self, sid: str) -> None:
        """Wait for a socket no longer: it has gone."""
        for wait in list(self._waits.values()):
            self._leave(wait, sid)

    def _leave(self, wait: Wait, sid: str) -> None:
        wait.waited_for.discard(sid)
        self._end_if_complete(wait)

    def _end_if_complete(self, wait: Wait) -> None:
        if not wait.waited_for:
            self._end(wait)

    def _end(self, wait: Wait) -> None:
        if self._waits.pop(wait.number, None):
            self._held_bytes -= wait.held_bytes
            wait.end()


class _TooDeep(Exception):
    """An answer that is nested more than a little."""


def _plain(value: Any, levels: int) -> Any:
    """Return a value that JSON has room for: bytes in Base64."""
    if levels == 0:
        raise _TooDeep
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_plain(each, levels - 1) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each, levels - 1) for key, each in value.items()}
    return value
