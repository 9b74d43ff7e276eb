"""`storecast up`: the order in which the whole system starts, runs and stops."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from deploy.local.child import Program
from deploy.local.children import Children
from deploy.local.data_dir import DataDir
from deploy.local.display import Display
from deploy.local.lock import locked
from deploy.local.readiness import Missing, client, first_missing, missing_redis, wait_until
from deploy.local.replica_set import step_to_primary
from deploy.local.settings import LocalSettings
from deploy.local.system import Options, System, plan
from shared.errors import StartupError

START_WITHIN_SECONDS = 60


async def up(options: Options, settings: LocalSettings, display: Display) -> None:
    """Run the system until SIGINT or SIGTERM.

    Raises:
        StartupError: it cannot run; what had been started was stopped again.

    """
    data = DataDir(options.data_dir)
    data.make()
    with locked(data.lock):
        data.clear_last_run()
        running = asyncio.create_task(_run(plan(options, settings, data), data, display))
        _stop_at_signal(running, display)
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()


async def _run(system: System, data: DataDir, display: Display) -> None:
    deadline = time.monotonic() + START_WITHIN_SECONDS
    async with Children(data, display.accident) as children, client() as http:

        async def wait(nothing_missing: Callable[[], Awaitable[Missing | None]]) -> None:
            missing = await children.beside(wait_until(nothing_missing, deadline, display.waiting))
            if missing is not None:
                problem = f"{missing.reason} after {START_WITHIN_SECONDS} s"
                raise StartupError(children.failure(missing.child, problem))

        async def start(programs: Sequence[Program]) -> None:
            for program in programs:
                display.started(program)
            await children.start(programs)

        for mongod in system.mongods:  # one after the other ends as well, so that its data are with another
            await start([mongod])
        await start(system.redises)
        if system.mongods:
            await wait(lambda: step_to_primary([program.address for program in system.mongods]))
        if system.redis_url:
            await wait(lambda: missing_redis(system))
        for together in (system.emitters, system.replicas, system.gateways):
            await start(together)
        await wait(lambda: first_missing(http, system))
        children.settle()
        display.ready(system, data)
        await children.beside(asyncio.Event().wait())


def _stop_at_signal(running: asyncio.Task[None], display: Display) -> None:
    def stop() -> None:
        if not running.cancelling():  # a second one would cut short the orderly end, which has a time limit anyway
            display.stopping()
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
