"""How many packets a client may send, of whatever kind: pongs, acknowledgements and pings cost the emitter, too."""

from ws_service.limits.pace import Pace

# What one request of a client may consist of: itself, its attachments, and a pong or an acknowledgement beside it.
PACKETS_PER_MESSAGE = 12

# How many packets of one client are dealt with in one turn of the loop: it must not hold up the others.
PACKETS_A_TURN = 10

# Who is asked and never answers saves up so many packets, and no more.
MOST_OWED = 10_000


class Allowance:
    """What one client may send: so many packets a second, and what it was asked for besides.

    How often it is asked is ours to say. Which of its packets is the answer is not looked at: an honest client sends
    one for each question, and any other may send no more than that.
    """

    __slots__ = ("_owed", "_pace")

    def __init__(self, messages_per_second: int) -> None:
        self._pace = Pace(PACKETS_PER_MESSAGE * messages_per_second)
        self._owed = 0

    @property
    def per_second(self) -> int:
        """How many packets may come unasked."""
        return self._pace.per_second

    def expect(self, packets: int) -> None:
        """Have so many more come for nothing: they were asked for."""
        self._owed = min(self._owed + packets, MOST_OWED)

    def permits(self, packets: int) -> bool:
        """Count packets, and tell whether so many may have come by now."""
        asked_for = min(packets, self._owed)
        self._owed -= asked_for
        return not self._pace.early_s(packets - asked_for)
