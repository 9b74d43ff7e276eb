"""The emitter, put together: its internal HTTP calls, its probes, and the sockets on their own path."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from fastapi import FastAPI

from shared.emitter_api import Batch, Drain, Message, Rebalance
from shared.identity.tokens import Tokens
from shared.openapi import describe
from shared.serving.http.app import ServiceApp
from shared.serving.http.errors import add_error_handlers
from shared.serving.rates.rate import Rate, rate
from shared.serving.requests import Requests
from ws_service import health
from ws_service.balancing import endpoints as balancing
from ws_service.balancing.assign import Assigner
from ws_service.balancing.balancer import Balancer
from ws_service.balancing.orders import Orders
from ws_service.census import endpoints as census
from ws_service.census.census import Census
from ws_service.client import endpoints as client
from ws_service.cluster.cluster import Cluster
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Nodes
from ws_service.cluster.peers import Alone
from ws_service.engine.asgi import SocketApp
from ws_service.ingest import endpoints as ingest
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.intake import HubIntake
from ws_service.ingest.subscriptions import Subscriptions
from ws_service.limits.admission import Admission
from ws_service.listeners import endpoints as listeners
from ws_service.listeners.listeners import Listeners
from ws_service.messages import endpoints as messages
from ws_service.messages.acknowledgements import Acknowledgements
from ws_service.messages.courier import LocalCourier
from ws_service.messages.everywhere import ClusterCourier
from ws_service.reference import endpoints as reference
from ws_service.settings import Settings
from ws_service.sockets.access import Access
from ws_service.sockets.sockets import Sockets


def create_app(settings: Settings) -> SocketApp:
    """Build the application. Nothing is connected before its lifespan begins, and a lone emitter connects to nothing.

    Raises:
        StartupError: a setting cannot be right.
    """
    app = ServiceApp("Storecast emitter", _lifespan, partial(describe, models=(Batch, Message, Drain, Rebalance)))
    app.state.settings = settings
    app.state.hub = Hub(History(settings.history_events, settings.history_bytes), Subscriptions())
    _join_the_others(app, settings, app.state.hub)
    acknowledgements = Acknowledgements(settings.max_payload_bytes)
    local = LocalCourier(app.state.hub.subscriptions, acknowledgements, settings.instance)
    app.state.courier = ClusterCourier(local, app.state.peers) if app.state.cluster else local
    access = Access.of(settings, app.state.hub.subscriptions)
    app.state.tokens = access.tokens
    app.state.sockets = Sockets(settings, app.state.hub, app.state.courier, acknowledgements, access)
    server = app.state.sockets.server
    app.state.handshakes = rate("handshakes", settings.handshakes_per_second, settings.redis_url.get_secret_value())
    server.eio.admission = Admission(settings, app.state.node, app.state.handshakes)
    app.state.census = Census(app.state.node, app.state.hub.subscriptions, app.state.peers)
    app.state.balancer = _balancer(app, settings)
    app.state.orders = Orders(app.state.node, app.state.balancer, app.state.peers)
    app.state.assigner = Assigner()
    app.state.listeners = Listeners(settings, app.state.hub, server.eio, access)
    # What a request schedules outlives it here: timers and writes of sockets.
    app.add_middleware(Requests, binds_id=False)
    add_error_handlers(app)
    app.include_router(ingest.router)
    app.include_router(messages.router)
    app.include_router(census.router)
    app.include_router(balancing.operations)
    app.include_router(health.router)
    for router in (listeners.router, balancing.public, client.router, reference.router):
        app.include_router(router, prefix=settings.socket_path.rstrip("/"))
    return SocketApp(server, app, settings.socket_path)


def _join_the_others(app: FastAPI, settings: Settings, hub: Hub) -> None:
    """Have batches and messages go to all emitters, where there are others."""
    own_id = uuid.uuid4().hex
    app.state.cluster = None
    app.state.nodes = None
    if not settings.redis_url.get_secret_value():
        app.state.node = Node(own_id, settings, hub, None)
        app.state.intake = HubIntake(hub)
        app.state.peers = Alone()
        return
    app.state.nodes = Nodes(own_id)
    app.state.node = Node(own_id, settings, hub, app.state.nodes)
    app.state.cluster = Cluster(settings, hub, app.state.node, app.state.nodes)
    app.state.intake = app.state.cluster.intake
    app.state.peers = app.state.cluster.peers


def _balancer(app: FastAPI, settings: Settings) -> Balancer:
    # A lone emitter has nobody to give its clients to: it ends at once.
    seconds = settings.drain_seconds if app.state.cluster else 0.0
    return Balancer(app.state.node, app.state.hub.subscriptions, app.state.nodes, seconds)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    cluster: Cluster | None = app.state.cluster
    balancer: Balancer = app.state.balancer
    node: Node = app.state.node
    tokens: Tokens = app.state.tokens
    handshakes: Rate = app.state.handshakes
    async with (
        handshakes.running(),
        cluster.running() if cluster else nullcontext(),
        asyncio.TaskGroup() as background,
    ):
        # The group owns the tasks: should one ever end by an error, the whole process does, and is seen.
        tasks = [background.create_task(part.run()) for part in (balancer, node.lag, tokens.keys)]
        yield
        for task in tasks:
            task.cancel()
