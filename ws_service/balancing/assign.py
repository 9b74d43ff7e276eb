"""Which emitter a client had better go to: connections weighed with how late the event loop is."""

from collections import Counter
from collections.abc import Iterable

from ws_service.cluster.nodes import Beat

# An event loop that is so late counts as much as twice the connections.
_LAG_MS = 50.0


class Assigner:
    """Chooses, and counts whom it has sent where: a node's heartbeat tells of them a second later."""

    def __init__(self) -> None:
        self._sent: Counter[tuple[str, int]] = Counter()

    def choose(self, beats: Iterable[Beat]) -> Beat | None:
        """Return the least loaded of the emitters that take clients and have a public address."""
        fit = [beat for beat in beats if beat.state == "ready" and beat.url]
        if not fit:
            return None
        # What was counted before a node's last heartbeat is in that heartbeat.
        current = {_key(beat) for beat in fit}
        for key in [key for key in self._sent if key not in current]:
            del self._sent[key]
        chosen = min(fit, key=lambda beat: (self._load(beat), beat.id))
        self._sent[_key(chosen)] += 1
        return chosen

    def _load(self, beat: Beat) -> float:
        return (1 + beat.connections + self._sent[_key(beat)]) * (1 + beat.lag_ms / _LAG_MS)


def _key(beat: Beat) -> tuple[str, int]:
    return beat.id, beat.number
