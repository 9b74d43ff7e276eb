"""How many packets a client may send, of whatever kind: pongs, acknowledgements and pings cost the emitter, too."""

import time

# What one request of a client may consist of: itself, its attachments, and a pong or an acknowledgement beside it.
PACKETS_PER_MESSAGE = 12

# What is permitted in so many seconds may come at once.
_BURST_S = 5

# How many packets of one client are dealt with in one turn of the loop: it must not hold up the others.
PACKETS_A_TURN = 10


class Allowance:
    """What one client may send. The library for rates takes 40 us to count one; a pong takes 10 altogether.

    The generic cell rate algorithm, for which a client has one number: until when what it has sent would do.
    https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
    """

    __slots__ = ("_until", "per_second")

    def __init__(self, messages_per_second: int) -> None:
        self.per_second = PACKETS_PER_MESSAGE * messages_per_second
        self._until = 0.0

    def permits(self, packets: int) -> bool:
        """Count packets, and tell whether so many may have come by now."""
        now = time.monotonic()
        self._until = max(self._until, now) + packets / self.per_second
        return self._until <= now + _BURST_S
