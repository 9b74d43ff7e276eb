"""`python -m api_service`: one replica of the product API."""

import shared.serving.early_stop  # noqa: F401  # before the imports that take long

# isort: split

import asyncio
import contextlib
import gc
import signal
import sys

import uvloop

from api_service.app import create_app, resign
from api_service.server import create_server
from api_service.settings import Settings
from shared.errors import StartupError
from shared.logs import configure_logging
from shared.serving.ending import end_soon
from shared.serving.files import allow_connections
from shared.serving.listener import listen


def main() -> None:
    """Run until SIGINT or SIGTERM. A start-up problem is one line and exit code 2."""
    try:
        settings = Settings.load()
        configure_logging(settings, "api")
        allow_connections(settings.max_connections)
        with contextlib.suppress(asyncio.CancelledError):
            uvloop.run(_serve(settings))
    except StartupError as error:
        sys.stderr.write(f"storecast api: {error}\n")
        sys.exit(2)


async def _serve(settings: Settings) -> None:
    app = create_app(settings)
    server = create_server(settings, app)
    serving = asyncio.current_task()

    def stop() -> None:
        if server.started:
            # First, so that another replica leads at once: open connections may take seconds to end.
            resign(app)
            server.should_exit = True
        elif serving is not None:
            serving.cancel()  # still waiting for MongoDB
            end_soon()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    listener = listen(settings)
    async with app.router.lifespan_context(app):
        # What was loaded stays: a full collection need not look at it, some 50 ms in which nothing else is done.
        gc.collect()
        gc.freeze()
        await server.serve(sockets=[listener])
        end_soon()


if __name__ == "__main__":
    main()
