"""The emitters that are there, as their heartbeats say."""

import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from shared.emitter_api import State

DEAF_AFTER_S = 3.0
"""For how long a node may not be heard, by itself or by others."""

_DEAD_AFTER_S = 60.0


class Beat(BaseModel):
    """What a node says of itself every second. `id` is that of the process, `node` its name; beats are numbered."""

    model_config = ConfigDict(frozen=True)

    id: str
    number: int
    node: str
    url: str
    state: State
    connections: int
    lag_ms: float


class Nodes:
    """Who was heard, and when. A node counts until it was not heard for three seconds."""

    def __init__(self, own_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._own_id = own_id
        self._clock = clock
        self._beats: dict[str, tuple[float, Beat]] = {}
        # From the start: who has never heard itself is deaf after as long.
        self._heard_at = clock()
        # Since when what this node says is written to Redis, and not heard.
        self._unheard_since: float | None = None

    def hear(self, beat: Beat) -> None:
        """Take a heartbeat."""
        now = self._clock()
        self._beats[beat.id] = (now, beat)
        if beat.id == self._own_id:
            self._heard_at = now
            self._unheard_since = None
        for gone in [node for node, (heard_at, _) in self._beats.items() if now - heard_at > DEAF_AFTER_S]:
            del self._beats[gone]

    def said(self) -> None:
        """Note that a heartbeat of this node was written."""
        if self._unheard_since is None:
            self._unheard_since = self._clock()

    def not_said(self) -> None:
        """Note that Redis cannot be written to: then it is not this node's fault that it hears nothing."""
        self._unheard_since = None

    def leave(self, node: str) -> None:
        """Forget a node that said that it ends."""
        self._beats.pop(node, None)

    def present(self) -> list[Beat]:
        """Return the last heartbeat of each node that is there, by name."""
        now = self._clock()
        present = [beat for heard_at, beat in self._beats.values() if now - heard_at <= DEAF_AFTER_S]
        return sorted(present, key=lambda beat: (beat.node, beat.id))

    @property
    def silence_s(self) -> float:
        """How long ago this node heard its own heartbeat, in seconds; or began."""
        return self._clock() - self._heard_at

    @property
    def is_deaf(self) -> bool:
        """Whether this node has not heard its own heartbeat: it hears no events either."""
        return self.silence_s > DEAF_AFTER_S

    @property
    def is_dead(self) -> bool:
        """Whether Redis has taken its heartbeats for a minute and it has heard none: only a new process would help."""
        return self._unheard_since is not None and self._clock() - self._unheard_since > _DEAD_AFTER_S
