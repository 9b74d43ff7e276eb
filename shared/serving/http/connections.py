"""What all HTTP connections of a process have in common: how many there may be, and how long one may wait."""

from typing import Protocol

from shared.serving.deadlines import Deadlines

# How long a client may take over the last of what was written to it.
_CLOSE_S = 10


class Connection(Protocol):
    """A connection, as its deadlines and other connections see it."""

    def time_out(self) -> None:
        """Hear that a request, or the reading of an answer, has taken too long."""

    def give_up(self) -> None:
        """Hear that it is not waited for any longer."""

    def abort(self) -> None:
        """End it at once."""


class Connections:
    """The bounds of all HTTP connections.

    Args:
        most: How many there may be. Beyond it the one that has waited longest is cut off; if none waits, the new one is
            refused.
        request_s: How long a client may take over a request, and over an answer. Who opens a connection and sends
            nothing, or reads nothing, costs memory, too.
    """

    def __init__(self, most: int, request_s: float) -> None:
        self.most = most
        self.request_s = request_s
        # Those that wait for their clients: to send, or to read.
        self.waiting = Deadlines[Connection](request_s, lambda connection: connection.time_out())
        self.closing = Deadlines[Connection](_CLOSE_S, lambda connection: connection.abort())
