"""What a gateway serves, and from where."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Routes:
    """The ports of the services behind a gateway, and its own.

    Sockets with the path "/" need an origin of their own: `sockets_port` is its port. It is None where they are at a
    path of the API's origin.
    """

    port: int
    socket_path: str
    api_ports: Sequence[int]
    emitter_ports: Sequence[int]
    sockets_port: int | None = None
