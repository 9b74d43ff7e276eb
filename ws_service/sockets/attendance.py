"""Counts who comes and who goes."""

from ws_service import metrics
from ws_service.sockets.recovery import Start
from ws_service.sockets.requests import Handshake


def came(handshake: Handshake, start: Start) -> None:
    """Count a client that was taken."""
    recovered = str(start.recovered).lower()
    metrics.connections.inc()
    metrics.connects.labels(recovered).inc()
    if handshake.pid is not None or handshake.after is not None:
        metrics.reconnects.labels(recovered).inc()


def went() -> None:
    """Count a client that has gone."""
    metrics.connections.dec()
