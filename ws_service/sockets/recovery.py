"""Where in the log a socket begins: a pure decision.

The stock JavaScript client recovers with no code of its own. The CONNECT answer gives it a `pid`, each numbered event
ends with an offset; when it reconnects it sends both, and calls itself recovered if it is given its `pid` back.
https://socket.io/docs/v4/connection-state-recovery
"""

import secrets
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.events import Position
from ws_service.ingest.history import History
from ws_service.sockets.requests import Handshake


class Start(NamedTuple):
    """How a socket begins. `position` is None as long as the emitter has none itself."""

    position: Position | None
    recovered: bool
    pid: str


def start(handshake: Handshake, now: Position | None, history: History) -> Start:
    """Begin where the client was if the history reaches back to it, for all of its topics; else here and now."""
    asked = _asked(handshake, now.epoch if now else None)
    if asked is None or now is None or not recoverable(asked, now, history, set(handshake.topics)):
        return Start(now, recovered=False, pid=_new_pid(now))
    # The client's own pid back: that is how it knows.
    return Start(asked, recovered=True, pid=handshake.pid or _new_pid(asked))


def recoverable(asked: Position, now: Position, history: History, topics: AbstractSet[str]) -> bool:
    """Tell whether all that was missed can be sent. A client may be ahead of an emitter that is catching up itself."""
    return asked.epoch == now.epoch and history.reaches_back_to(asked.seq, topics)


def _asked(handshake: Handshake, epoch: str | None) -> Position | None:
    # The client's own memory of this very connection comes first: an `after` that the page gave as a fixed value would
    # otherwise be replayed at each reconnect.
    if handshake.pid is None:
        return handshake.after
    return _last_place(handshake.pid, handshake.offset, epoch)


def _last_place(pid: str, offset: str | None, epoch: str | None) -> Position | None:
    """Return the later of what the pid and the offset say.

    The client keeps its last offset when it could not be recovered, while its new pid is already further on. And of an
    offset that is none, some other event's last argument, nobody knows what was heard before it.
    """
    try:
        places = [Position.parse(place) for place in (pid.rpartition(":")[0], offset) if place is not None]
    except ValueError:
        return None
    return max((place for place in places if place.epoch == epoch), default=None)


def _new_pid(position: Position | None) -> str:
    # It holds the position, so that a client recovers too that had heard nothing yet; and it is hard to guess.
    return f"{position or Position('none', 0)}:{secrets.token_urlsafe(12)}"
