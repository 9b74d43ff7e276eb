"""`python -m ws_service`: one emitter."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn
import uvloop
from starlette.types import ASGIApp

from shared.errors import StartupError
from shared.logs import configure_logging
from ws_service.app import create_app
from ws_service.settings import Settings


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process by the signal instead of with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Run until SIGINT or SIGTERM. A start-up problem is one line and exit code 2."""
    try:
        settings = Settings.load()
        configure_logging(settings, "emitter")
        uvloop.run(_serve(settings))
    except StartupError as error:
        sys.stderr.write(f"storecast emitter: {error}\n")
        sys.exit(2)


async def _serve(settings: Settings) -> None:
    server = create_server(settings, create_app(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)  # noqa: FBT003  # setattr's own form
    await server.serve(sockets=[_listen(settings)])


def create_server(settings: Settings, app: ASGIApp) -> uvicorn.Server:
    """Return uvicorn as the emitter needs it, not yet listening."""
    return _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=settings.max_payload_bytes,
            # Engine.IO has its own heartbeat, and compression costs 64 KiB for each connection.
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            # A polling client would be waited for until its poll ends.
            timeout_graceful_shutdown=3,
        )
    )


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        raise StartupError(
            f"STORECAST_HOST, STORECAST_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None


if __name__ == "__main__":
    main()
