"""What is committed while a socket comes, replays and goes live: tried at every point where it gives way."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from tests.events import EPOCH, closing, history, live
from tests.integration.emitter import Emitter, RawClient
from ws_service.engine.server import SocketServer
from ws_service.ingest import subscriptions

MISSED = 4
# A test that goes through fewer steps than this has missed those that it is for.
LEAST_STEPS = 8
# So long after it has knocked, a client does nothing but wait.
WAITING_S = 0.3
# So many turns after it was sent the last event, its writer waits for the next.
SETTLE = 20


class Steps:
    """Counts what the event loop runs one after the other for the emitter, and acts after each of it.

    A task between two points where it gives way is such a step, and so is a callback. Whatever else could run beside
    the emitter's own code runs there and nowhere else.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._act: Callable[[int], bool] | None = None
        self._refused = False

    @asynccontextmanager
    async def counted(self, act: Callable[[int], bool]) -> AsyncIterator[None]:
        """Call `act` with 0, 1, 2, ... after each step until the context ends; it must never return False."""
        self.taken, self._act, self._refused = 0, act, False
        of_the_test.set(True)
        try:
            yield
        finally:
            self._act = None
        assert not self._refused

    def take(self, handle: asyncio.Handle) -> None:
        """Count a step that was taken."""
        # A handle's context is that of whoever asked for it: the server was started before the test began to count.
        if self._act is not None and not handle._context.get(of_the_test):  # type: ignore[attr-defined]  # noqa: SLF001  # public nowhere
            number, self.taken = self.taken, self.taken + 1
            self._refused = not self._act(number) or self._refused


of_the_test = ContextVar("of_the_test", default=False)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    run = asyncio.Handle._run  # noqa: SLF001  # the one place that every step goes through

    def run_and_count(handle: asyncio.Handle) -> None:
        run(handle)
        steps.take(handle)

    monkeypatch.setattr(asyncio.Handle, "_run", run_and_count)
    return steps


@pytest.fixture(autouse=True)
def as_many_steps_as_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a replay come event by event, and every call of the socket server give way, as for a slow reader."""
    monkeypatch.setattr(subscriptions, "CHUNK_BYTES", 1)
    for name, method in vars(SocketServer).items():
        if inspect.iscoroutinefunction(method) and not name.startswith("_"):
            monkeypatch.setattr(SocketServer, name, giving_way(method))


def giving_way(method: Callable[..., Any]) -> Callable[..., Any]:
    async def give_way(*args: Any, **more: Any) -> Any:
        await asyncio.sleep(0)
        answer = await method(*args, **more)
        await asyncio.sleep(0)
        return answer

    return give_way


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


def committing(emitter: Emitter, at: int, count: int) -> Callable[[int], bool]:
    """Return what commits `count` events, one at each step from the step `at` on."""

    def commit(step: int) -> bool:
        if not at <= step < at + count:
            return True
        seq = emitter.hub.history.last + 1
        return emitter.hub.take(live(seq, seq))

    return commit


async def goes_on(emitter: Emitter, client: RawClient, heard: int) -> None:
    """Check that a client that has heard up to a number hears the rest, each once, and then one more."""
    heard = await hears_all(emitter, client, heard)
    for _ in range(SETTLE):
        await asyncio.sleep(0)
    # Before anything else is committed: that would wake a writer that has missed the last one.
    heard = await hears_all(emitter, client, heard)
    assert emitter.hub.take(live(heard + 1, heard + 1))
    await hears_all(emitter, client, heard)


async def hears_all(emitter: Emitter, client: RawClient, heard: int) -> int:
    while heard < emitter.hub.history.last:
        assert await client.seqs(1) == [heard + 1]
        heard += 1
    return heard


@pytest.mark.parametrize("count", [1, 3])
async def test_nothing_can_come_between_a_replay_and_what_is_live(emitter: Emitter, steps: Steps, count: int) -> None:
    """A client comes back while events are committed: at whichever step, it hears each once, in order."""
    await emitter.open_with(MISSED)
    at = 0
    while at <= steps.taken:
        heard = emitter.hub.history.last - MISSED
        async with (
            steps.counted(committing(emitter, at, count)),
            emitter.client({"after": f"{EPOCH}:{heard}"}) as client,
        ):
            greeting = await client.welcome()
            assert greeting["recovered"] is True
            assert MISSED <= greeting["replayed"] <= MISSED + count
            await goes_on(emitter, client, heard)
        at += 1
    assert at >= LEAST_STEPS


async def test_nothing_can_come_between_a_topics_past_and_what_is_live(emitter: Emitter, steps: Steps) -> None:
    """A connected client subscribes to a topic with its past while events are committed: it hears each once."""
    await emitter.open_with(MISSED)
    at = 0
    while at <= steps.taken:
        heard = emitter.hub.history.last - MISSED
        async with emitter.client({"topics": ["category:toys"]}) as client:
            await client.welcome()
            async with steps.counted(committing(emitter, at, 1)):
                await client.send(f'421["subscribe",{{"topics":["products"],"after":"{EPOCH}:{heard}"}}]')
                numbers: list[int] = []
                acknowledged = False
                while not acknowledged or len(numbers) < emitter.hub.history.last - heard:
                    packet = await client.receive()
                    if packet.startswith("431"):
                        acknowledged = True
                    else:
                        numbers.append(json.loads(packet[2:])[2]["seq"])
                assert numbers == list(range(heard + 1, heard + 1 + len(numbers)))
                await goes_on(emitter, client, numbers[-1])
        at += 1
    assert at >= LEAST_STEPS


class HandOver:
    """Hands the history over, closes it and goes on live: four calls of the relay, one at each step from `at` on."""

    def __init__(self, emitter: Emitter, at: int) -> None:
        self._hub = emitter.hub
        self._at = at
        self._batches = [history(1, 3), history(4, 6), closing(6), live(7, 7)]

    def __call__(self, step: int) -> bool:
        """Make the next call, from the step `at` on."""
        return step < self._at or not self._batches or self._hub.take(self._batches.pop(0))

    def finish(self) -> None:
        """Make the calls that are left."""
        while self._batches:
            assert self(self._at)


async def test_nothing_can_come_between_the_handover_and_what_is_live(emitter: Emitter, steps: Steps) -> None:
    """A client knocks at an emitter without memory: at whichever step that is handed over, it hears each event once."""
    async with steps.counted(lambda _: True), emitter.client({"after": f"{EPOCH}:2"}) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.welcome(), WAITING_S)
        most = steps.taken
    for at in range(most):
        emitter.hub.forget("none")  # what a restart does to it
        hand_over = HandOver(emitter, at)
        async with steps.counted(hand_over), emitter.client({"after": f"{EPOCH}:2"}) as client:
            knocking = asyncio.create_task(client.welcome())
            await asyncio.wait({knocking}, timeout=WAITING_S)
            hand_over.finish()  # where it came to rest some steps earlier this time
            assert (await knocking)["recovered"] is True
            await goes_on(emitter, client, 2)
    assert most >= LEAST_STEPS
