"""uvicorn as both services need it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """uvicorn without its signal handling.

    It would raise the signal again once the sockets are closed, and end the process before what it holds is released.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the service."""
        yield


def configure(app: ASGIApp, protocol: Callable[..., asyncio.Protocol], **options: Any) -> uvicorn.Config:
    """Return what both services have in common.

    Args:
        app: What answers the requests.
        protocol: Makes what reads a connection; it is given what uvicorn gives its own.
        options: Further ones of uvicorn's (https://www.uvicorn.org/settings/).
    """
    return uvicorn.Config(
        app,
        # uvicorn calls what stands here, class or not, for each connection.
        http=cast("Any", protocol),
        lifespan="off",  # it is entered by who can tell the operator of its errors in one line
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **options,
    )
