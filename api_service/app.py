"""The product API, put together: what it answers, what it runs, and in which order it starts and stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from pymongo.errors import DuplicateKeyError

from api_service import health
from api_service.browsers import SAFE_HEADERS, add_browser_rules
from api_service.database import open_database
from api_service.emitters import Emitters
from api_service.errors import DatabaseUnavailable
from api_service.feed import endpoints as events
from api_service.feed.lease import Lease
from api_service.leader import Leader
from api_service.messages import endpoints as messages
from api_service.messages.messenger import Messenger
from api_service.middleware import BodyLimit
from api_service.operators import endpoints as operators
from api_service.page import endpoints as page
from api_service.products import endpoints as products
from api_service.products.repository import ProductRepository
from api_service.products.service import ProductService
from api_service.relay.emitter_client import EmitterClient
from api_service.schema import prepare_schema
from api_service.settings import Settings
from api_service.writes import Writes
from shared.errors import StartupError
from shared.identity.identity import PRODUCTS_READ
from shared.openapi import describe, without_token
from shared.serving.http.app import ServiceApp
from shared.serving.http.errors import add_error_handlers
from shared.serving.loop_lag import LoopLag
from shared.serving.requests import Requests
from shared.serving.tokens import tokens_of


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Nothing is connected before its lifespan begins."""
    app = ServiceApp("Storecast product API", _lifespan, partial(_describe, settings))
    app.state.settings = settings
    app.state.tokens = tokens_of(settings)
    app.state.writes = Writes(settings)
    app.add_middleware(BodyLimit)
    add_browser_rules(app, settings)
    app.add_middleware(Requests, binds_id=True)
    add_error_handlers(app, SAFE_HEADERS)
    # Reading first: what it has no method for is answered by the other.
    app.include_router(products.reading)
    app.include_router(products.writing)
    app.include_router(events.router)
    app.include_router(messages.router)
    app.include_router(operators.router)
    app.include_router(health.router)
    app.include_router(page.router)
    return app


def _describe(settings: Settings, document: dict[str, Any]) -> dict[str, Any]:
    described = describe(document)
    if settings.public_read:
        without_token(described, PRODUCTS_READ)
    return described


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with (
        app.state.writes.running(),
        open_database(settings) as database,
        EmitterClient.connect(settings) as emitter,
        Emitters.connect(settings) as app.state.emitters,
    ):
        app.state.messenger = Messenger(app.state.emitters)
        lease = Lease(database, settings.instance)
        prepare = partial(prepare_schema, database, lease)
        try:
            await prepare()
        except (DatabaseUnavailable, DuplicateKeyError) as error:
            raise StartupError(f"STORECAST_MONGO_URL: the collections cannot be prepared: {_cause(error)}") from error
        # What the endpoints use; the leader has the database to itself.
        app.state.database = database.for_requests()
        app.state.products = ProductService(ProductRepository(app.state.database))
        leader = Leader(database, lease, emitter, prepare, settings)
        # The group owns the leader: should it ever end by an error, the whole process does, and is seen.
        async with asyncio.TaskGroup() as background:
            app.state.leading = background.create_task(leader.run(), name="leader")
            helpers = [background.create_task(part.run()) for part in (LoopLag(), app.state.tokens.keys)]
            yield
            for helper in helpers:
                helper.cancel()
            resign(app)


def resign(app: FastAPI) -> None:
    """Have this replica stop leading. Once: a second cancellation would cut the first one's release short."""
    leading: asyncio.Task[None] = app.state.leading
    if not leading.cancelling():
        leading.cancel()


def _cause(error: Exception) -> str:
    return str(error.__cause__ or error).partition(", full error:")[0]
