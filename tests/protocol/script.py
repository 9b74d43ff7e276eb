"""A script: what one client does. The same is done to both servers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from tests.protocol.player import Player
from tests.protocol.servers import Pair

Play = Callable[[Player], Awaitable[None]]

_HASTY_S = 0.15
_PATIENT_S = 1.0
_MOST_AT_A_TIME = 24
_MOST_PATIENT_AT_A_TIME = 4
# A server that gets more than that wrong is not merely slow.
_MOST_AGAIN = 40


class Script(NamedTuple):
    """What one client does, and the timing of the servers that it is done to."""

    play: Play
    timing: str


class Scripts(dict[str, Script]):
    """Scripts by name. A name says what the client does."""

    def add(self, name: str, timing: str = "calm") -> Callable[[Play], Play]:
        """Add the function below under a name."""

        def add(play: Play) -> Play:
            assert name not in self, f"two scripts are called {name!r}"
            self[name] = Script(play, timing)
            return play

        return add


class Outcome(NamedTuple):
    """What both servers answered, in the words of `Player.note`."""

    ours: tuple[str, ...]
    reference: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether a client could not tell one from the other."""
        return self.ours == self.reference


async def play_all(
    scripts: Mapping[str, Script], pairs: Mapping[str, Pair], expected: Callable[[str, Outcome], bool]
) -> dict[str, Outcome]:
    """Play scripts, many at a time.

    What came out unexpectedly is played again with more patience and less at a time: that a busy machine had not
    answered yet is no difference.
    """

    async def play(names: list[str], patience_s: float, most: int) -> dict[str, Outcome]:
        free = asyncio.Semaphore(most)

        async def one(name: str) -> Outcome:
            async with free:
                return await _played(scripts[name].play, pairs[scripts[name].timing], patience_s)

        return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))

    outcomes = await play(list(scripts), _HASTY_S, _MOST_AT_A_TIME)
    again = [name for name, outcome in outcomes.items() if not expected(name, outcome)][:_MOST_AGAIN]
    return outcomes | await play(again, _PATIENT_S, _MOST_PATIENT_AT_A_TIME)


async def _played(play: Play, pair: Pair, patience_s: float) -> Outcome:
    ours, reference = await asyncio.gather(*(_notes(play, port, patience_s) for port in pair))
    return Outcome(ours, reference)


async def _notes(play: Play, port: int, patience_s: float) -> tuple[str, ...]:
    player = Player(port, patience_s)
    try:
        await play(player)
    except (AssertionError, TimeoutError, OSError, EOFError) as error:
        player.note(f"the script cannot go on: {error!r}")
    finally:
        await player.close()
    return tuple(player.notes)
