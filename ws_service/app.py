"""The emitter, put together: its internal HTTP calls, its probes, and the sockets on their own path."""

from fastapi import FastAPI

from ws_service import health
from ws_service.engine.asgi import SocketApp
from ws_service.errors import add_error_handlers
from ws_service.ingest import endpoints as ingest
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.intake import HubIntake
from ws_service.ingest.subscriptions import Subscriptions
from ws_service.listeners import endpoints as listeners
from ws_service.listeners.listeners import Listeners
from ws_service.messages import endpoints as messages
from ws_service.messages.acknowledgements import Acknowledgements
from ws_service.messages.courier import LocalCourier
from ws_service.settings import Settings
from ws_service.sockets.sockets import Sockets


def create_app(settings: Settings) -> SocketApp:
    """Build the application. It connects to nothing: the relay comes to it. Raises StartupError."""
    app = FastAPI(title="Storecast emitter", version="1", redirect_slashes=False)
    app.state.settings = settings
    app.state.hub = Hub(History(settings.history_events, settings.history_bytes), Subscriptions())
    app.state.intake = HubIntake(app.state.hub)
    acknowledgements = Acknowledgements(settings.max_payload_bytes)
    app.state.courier = LocalCourier(app.state.hub.subscriptions, acknowledgements, settings.instance)
    app.state.sockets = Sockets(settings, app.state.hub, app.state.courier, acknowledgements)
    server = app.state.sockets.server
    app.state.listeners = Listeners(settings, app.state.hub, server.eio)
    add_error_handlers(app)
    app.include_router(ingest.router)
    app.include_router(messages.router)
    app.include_router(health.router)
    app.include_router(listeners.router, prefix=settings.socket_path.rstrip("/"))
    return SocketApp(server, app, settings.socket_path)
