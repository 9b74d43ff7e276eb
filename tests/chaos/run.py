"""One run: start the system, let clients use it, break it, and see whether everybody heard everything."""

import asyncio
import random
import re
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from tests.chaos.committed import Committed
from tests.chaos.creators import Creators
from tests.chaos.faults import Injector
from tests.chaos.schedule import Role, kinds, schedule
from tests.chaos.silence import Injected
from tests.chaos.subscribers import Subscriber, Subscribers
from tests.up import Up

_LOOK_EVERY_S = 1.0
_GIVEN_UP_AFTER_LOOKS = 20
_REST_AT_MOST_S = 180
_DRAIN_S = 2


class Progress(NamedTuple):
    """Where a run is."""

    elapsed_s: float
    doing: str
    faults: int
    committed: int


class Options(NamedTuple):
    """What the command line says: how long, at how many changes a second, by which schedule of faults, and to whom.

    `roles`: which processes are hit; empty: all that there are.
    """

    seconds: float
    rate: float
    seed: int
    emitters: int = 1
    roles: Collection[Role] = ()


class Outcome(NamedTuple):
    """All that a run has seen, to be judged; `broken`: where the system as such was not what it has to be."""

    committed: Committed
    creators: Creators
    subscribers: list[Subscriber]
    injected: list[Injected]
    broken: list[str]


async def run(folder: Path, options: Options, tell: Callable[[Progress], None]) -> Outcome:
    """Run the system in `folder` under load and faults, then let it come to rest and end.

    Raises:
        AssertionError: The system did not start.
    """
    tell(Progress(0, "starting", 0, 0))
    arguments = ("--mongo-members", "3", "--gateway", "nginx", "--emitters", str(options.emitters))
    settings = {"STORECAST_LOG_FORMAT": "json", "STORECAST_DRAIN_SECONDS": str(_DRAIN_S)}
    async with Up.started(folder, *arguments, **settings) as up:
        try:
            outcome = await _use_and_break(up, options, tell)
            if exit_code := await up.stop(signal.SIGTERM):
                outcome.broken.append(f"`storecast up` ended with exit code {exit_code}")
        finally:
            (folder / "log" / "up.log").write_text("".join(up.shown))
    return outcome


async def _use_and_break(up: Up, options: Options, tell: Callable[[Progress], None]) -> Outcome:
    seconds, rate, seed, emitters, roles = options
    emitter_urls = _emitter_urls(up)
    # Everybody listens before the first change: so everybody has to hear all of them.
    async with (
        Committed.watching(_mongo_url(up)) as committed,
        Subscribers.listening(up.origin, emitter_urls) as subscribers,
    ):
        injector = Injector(up, emitter_urls)
        broken: list[str] = []
        began = time.monotonic()

        def progress(doing: str) -> None:
            tell(Progress(time.monotonic() - began, doing, len(injector.injected), len(committed.changes)))

        ticking = asyncio.create_task(_tick(lambda: progress("breaking things")))
        dropping = asyncio.create_task(subscribers.drop_at_random(random.Random(seed)))  # noqa: S311 - see schedule
        try:
            async with Creators.working(up.origin, rate, seed) as creators:
                try:
                    await injector.run(schedule(seconds, seed, kinds(emitters, roles)), began)
                    await asyncio.sleep(began + seconds - time.monotonic())
                    await injector.whole()
                except AssertionError as error:  # what was heard until then is judged all the same
                    broken.append(str(error))
        finally:
            ticking.cancel()
            dropping.cancel()
        progress("coming to rest")
        await _come_to_rest(committed, creators, subscribers)
        return Outcome(committed, creators, subscribers.all, injector.injected, broken)


def _mongo_url(up: Up) -> str:
    found = re.search(r"mongodb://\S+", "".join(up.shown))
    assert found is not None
    return found[0]


def _emitter_urls(up: Up) -> list[str]:
    return re.findall(r"^ +emitter-\d+ +(http://\S+)", "".join(up.shown), re.MULTILINE)


async def _tick(progress: Callable[[], None]) -> None:
    while True:
        progress()
        await asyncio.sleep(0.25)


async def _come_to_rest(committed: Committed, creators: Creators, subscribers: Subscribers) -> None:
    """Wait until every acknowledged create was seen and every subscriber has heard as much as was committed.

    When nobody hears anything new any more it goes on all the same: what is missing then is for the judge.
    """
    deadline = time.monotonic() + _REST_AT_MOST_S
    before: object = None
    quiet_looks = 0
    while time.monotonic() < deadline and quiet_looks < _GIVEN_UP_AFTER_LOOKS:
        now = (len(committed.changes), subscribers.heard())
        quiet_looks = quiet_looks + 1 if now == before else 0
        # Another second without a change: what is heard once too often comes late.
        if quiet_looks and min(now[1]) >= now[0] and not creators.acknowledged - committed.created():
            return
        before = now
        await asyncio.sleep(_LOOK_EVERY_S)
