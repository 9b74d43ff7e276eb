"""An emitter as a process: it serves until it is told to end, and lets its clients go first."""

import asyncio
import signal
import socket

import uvloop

from shared.logs import configure_logging
from shared.serving import garbage
from shared.serving.ending import end_soon
from shared.serving.files import allow_connections
from ws_service.app import create_app
from ws_service.balancing.balancer import Balancer
from ws_service.engine.http import SPARE_CONNECTIONS
from ws_service.server import create_server
from ws_service.settings import Settings

_ENDING = (signal.SIGINT, signal.SIGTERM)


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve those who call the listener, until SIGINT or SIGTERM."""
    configure_logging(settings, "emitter")
    allow_connections(settings.max_connections + SPARE_CONNECTIONS)
    uvloop.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    app = create_app(settings)
    server = create_server(settings, app)
    balancer: Balancer = app.other_asgi_app.state.balancer
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    def drain() -> None:
        # Before uvicorn hears of it, which closes all connections at once. A second signal does not wait.
        for number in _ENDING:
            loop.add_signal_handler(number, stop)
        balancer.drain(stop)

    garbage.look_for_new()
    for number in _ENDING:
        loop.add_signal_handler(number, drain)
    # Entered here and not by uvicorn, which would go on without what has died.
    async with app.other_asgi_app.router.lifespan_context(app.other_asgi_app):
        await server.serve(sockets=[listener])
        end_soon()
