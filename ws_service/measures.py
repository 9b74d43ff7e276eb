"""What is measured when somebody looks, and costs nothing until then."""

from collections import Counter
from typing import get_args

from shared.emitter_api import State
from ws_service import metrics
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Nodes
from ws_service.engine.engine import Engine
from ws_service.listeners.listeners import Listeners
from ws_service.listeners.outbox import Outbox

_TRANSPORTS = ("polling", "websocket", "sse", "raw")


def measure_node(node: Node, nodes: Nodes | None) -> None:
    """Set the gauges of how this emitter is."""
    for state in get_args(State):
        metrics.state.labels(state).set(state == node.state)
    metrics.hearing_age.set(nodes.silence_s if nodes else 0)


def measure_sessions(engine: Engine, listeners: Listeners) -> None:
    """Set the gauge of the open transports."""
    open_now = Counter(session.transport.name for session in engine.sockets.values())
    open_now.update("sse" if isinstance(stream, Outbox) else "raw" for stream in listeners.streams)
    for transport in _TRANSPORTS:
        metrics.sessions.labels(transport).set(open_now[transport])
