"""The emitter, put together: its internal HTTP calls, its probes, and the sockets on their own path."""

import socketio
from fastapi import FastAPI

from ws_service import health
from ws_service.errors import add_error_handlers
from ws_service.ingest import endpoints as ingest
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.intake import HubIntake
from ws_service.ingest.subscriptions import Subscriptions
from ws_service.messages import endpoints as messages
from ws_service.settings import Settings
from ws_service.sockets.sockets import Sockets


def create_app(settings: Settings) -> socketio.ASGIApp:
    """Build the application. It connects to nothing: the relay comes to it."""
    app = FastAPI(title="Storecast emitter", version="1", redirect_slashes=False)
    app.state.settings = settings
    app.state.hub = Hub(History(settings.history_events, settings.history_bytes), Subscriptions())
    app.state.intake = HubIntake(app.state.hub)
    app.state.sockets = Sockets(settings, app.state.hub)
    add_error_handlers(app)
    app.include_router(ingest.router)
    app.include_router(messages.router)
    app.include_router(health.router)
    return socketio.ASGIApp(app.state.sockets.server, other_asgi_app=app, socketio_path=settings.socket_path.strip("/"))
