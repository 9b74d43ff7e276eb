"""Asking every emitter something: each does its part, in the same order as all others, and answers."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from ws_service.cluster.letters import Letter

Handler = Callable[[Letter], Awaitable[Any]]
"""Does at once what has to be done in order, and returns what gives the answer: JSON."""


async def given(answer: Any) -> Any:
    """Give an answer that is there already."""
    return answer


class Answers(NamedTuple):
    """What the emitters answered, and the names of those that did not in time."""

    given: list[Any]
    missing: list[str]


class Peers(Protocol):
    """All emitters, this one included."""

    def on(self, kind: str, handler: Handler) -> None:
        """Have letters of a kind dealt with here."""

    async def ask(self, letter: Letter, timeout_s: float, name: str | None = None) -> Answers:
        """Send a letter to all, and wait for their answers, or for that of the one so called; raise Unavailable."""


class Alone:
    """A lone emitter asks itself."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def on(self, kind: str, handler: Handler) -> None:
        """Have letters of a kind dealt with here."""
        self._handlers[kind] = handler

    async def ask(self, letter: Letter, timeout_s: float, name: str | None = None) -> Answers:
        """Have it dealt with here."""
        del timeout_s, name  # a handler has a deadline of its own, and looks for whom it is
        return Answers([await self._handlers[letter.kind](letter)], [])
