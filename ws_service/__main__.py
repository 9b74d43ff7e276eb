"""`python -m ws_service`: one emitter."""

import shared.serving.early_stop  # noqa: F401  # before the imports that take long

# isort: split

import asyncio
import gc
import signal
import socket
import sys

from shared.errors import StartupError
from ws_service.settings import Settings


def main() -> None:
    """Run until SIGINT or SIGTERM. A start-up problem is one line and exit code 2."""
    try:
        settings = Settings.load()
        listener = _listen(settings)
        _run(settings, listener)
    except StartupError as error:
        sys.stderr.write(f"storecast emitter: {error}\n")
        sys.exit(2)


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise StartupError(
            f"STORECAST_HOST, STORECAST_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None


def _run(settings: Settings, listener: socket.socket) -> None:
    # Imported while the port is open already: it takes a second, in which clients that come back wait in the backlog.
    # Refused, they would go into another round of their back-off.
    import uvloop  # noqa: PLC0415  # see above

    from shared.logs import configure_logging  # noqa: PLC0415  # see above
    from shared.serving.ending import end_soon  # noqa: PLC0415  # see above
    from shared.serving.files import allow_connections  # noqa: PLC0415  # see above
    from ws_service.app import create_app  # noqa: PLC0415  # see above
    from ws_service.balancing.balancer import Balancer  # noqa: PLC0415  # see above
    from ws_service.engine.http import SPARE_CONNECTIONS  # noqa: PLC0415  # see above
    from ws_service.server import create_server  # noqa: PLC0415  # see above

    configure_logging(settings, "emitter")
    allow_connections(settings.max_connections + SPARE_CONNECTIONS)

    async def serve() -> None:
        app = create_app(settings)
        server = create_server(settings, app)
        balancer: Balancer = app.other_asgi_app.state.balancer

        def stop() -> None:
            server.should_exit = True

        def drain() -> None:
            # Before uvicorn hears of it, which closes all connections at once. A second signal does not wait.
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop)
            balancer.drain(stop)

        # What was loaded stays: a full collection need not look at it, in which nobody is sent anything.
        gc.collect()
        gc.freeze()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, drain)
        # Entered here and not by uvicorn, which would go on without what has died.
        async with app.other_asgi_app.router.lifespan_context(app.other_asgi_app):
            await server.serve(sockets=[listener])
            end_soon()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
