"""`python -m api_service`: one replica of the product API."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn
import uvloop

from api_service.app import create_app, resign
from api_service.settings import Settings
from shared.errors import StartupError
from shared.logs import configure_logging

_LAST_WAIT_S = 2.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handling.

    It would raise the signal again once the sockets are closed, and end the process before the lease is released.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Run until SIGINT or SIGTERM. A start-up problem is one line and exit code 2."""
    try:
        settings = Settings.load()
        configure_logging(settings, "api")
        with contextlib.suppress(asyncio.CancelledError):
            uvloop.run(_serve(settings))
        _end_within(_LAST_WAIT_S)
    except StartupError as error:
        sys.stderr.write(f"storecast api: {error}\n")
        sys.exit(2)


def _end_within(seconds: float) -> None:
    """End the process then, if it has not ended by itself.

    All is released. But Python waits for the driver's threads, and one of them may wait for a MongoDB that hangs.
    """
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()


async def _serve(settings: Settings) -> None:
    app = create_app(settings)
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",  # it is entered below, where its errors can be told to the operator in one line
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("X-Served-By", settings.instance)],
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )
    serving = asyncio.current_task()

    def stop() -> None:
        if server.started:
            # First, so that another replica leads at once: open connections may take seconds to end.
            resign(app)
            server.should_exit = True
        elif serving is not None:
            serving.cancel()  # still waiting for MongoDB

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    listener = _listen(settings)
    async with app.router.lifespan_context(app):
        # What was loaded stays: a full collection need not look at it, some 50 ms in which nothing else is done.
        gc.collect()
        gc.freeze()
        await server.serve(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise StartupError(
            f"STORECAST_HOST, STORECAST_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None


if __name__ == "__main__":
    main()
