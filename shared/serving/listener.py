"""Where a service is called."""

import socket

from shared.errors import StartupError
from shared.settings import ServiceSettings

_BACKLOG = 2048


def listen(settings: ServiceSettings) -> socket.socket:
    """Open the port that the settings name: from here on who calls waits, and is not refused.

    Raises:
        StartupError: it is not to be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartupError(
            f"STORECAST_HOST, STORECAST_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None
