"""A replica as a process: it serves until it is told to end, and stops leading first."""

import asyncio
import contextlib
import signal

import uvloop

from api_service.app import create_app, resign
from api_service.server import create_server
from api_service.settings import Settings
from shared.logs import configure_logging
from shared.serving import garbage
from shared.serving.ending import end_soon
from shared.serving.files import allow_connections
from shared.serving.listener import listen


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; raise StartupError."""
    configure_logging(settings, "api")
    allow_connections(settings.max_connections)
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(_serve(settings))


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
        garbage.look_for_new()
        await server.serve(sockets=[listener])
        end_soon()
