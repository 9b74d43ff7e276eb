"""This emitter: its name, and whether clients should come to it."""

from shared.emitter_api import State
from shared.serving.loop_lag import LoopLag
from ws_service.cluster.nodes import Nodes
from ws_service.ingest.hub import Hub
from ws_service.settings import Settings


class Node:
    """What is known of this process. `nodes` are those of a cluster, which hear each other; a lone one has none."""

    def __init__(self, own_id: str, settings: Settings, hub: Hub, nodes: Nodes | None) -> None:
        self.id = own_id
        self.name = settings.instance
        self.url = settings.public_ws_url
        self.lag = LoopLag()
        self.is_draining = False
        self._hub = hub
        self._nodes = nodes

    @property
    def state(self) -> State:
        """Say whether clients should come: only where it is ready."""
        if self.is_draining:
            return "draining"
        if self._nodes is not None and self._nodes.is_deaf:
            return "deaf"
        return "waiting" if self._hub.position is None else "ready"

    def admits(self) -> bool:
        """Tell whether a new client is taken. Refused, it is given to another emitter, or comes again."""
        return self.state in {"ready", "waiting"}

    @property
    def is_dead(self) -> bool:
        """Whether the process had better be started again."""
        return self._nodes is not None and self._nodes.is_dead

    @property
    def connections(self) -> int:
        """How many sockets there are."""
        return len(self._hub.subscriptions)

    @property
    def lag_ms(self) -> float:
        """How late the event loop calls."""
        return round(self.lag.seconds * 1000, 2)
