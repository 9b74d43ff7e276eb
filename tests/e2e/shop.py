"""A product API, its page and an emitter in this process, on two origins, with settings that a test chooses."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
import uvicorn
from fastapi import FastAPI

from api_service.app import create_app
from api_service.settings import Settings
from tests.integration.emitter import SECRET, Emitter
from tests.mongod import Mongod, unused_database
from tests.tokens import JWT_SECRET
from tests.waiting import eventually

TOKENS: dict[str, Any] = {"auth": "jwt", "jwt_secret": JWT_SECRET, "jwt_leeway_seconds": 0}
"""Settings of both services with which callers show tokens, which expire when they say so."""


class Shop(NamedTuple):
    """What runs. `http` calls the API."""

    url: str
    emitter: Emitter
    http: httpx.AsyncClient

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, mongod: Mongod, *, client_topics: tuple[str, ...] = (), partners: tuple[str, ...] = (), **both: Any
    ) -> AsyncIterator["Shop"]:
        """Run one on an empty database, until events get through to the emitter.

        Args:
            mongod: Where the database is.
            client_topics: What clients may talk on.
            partners: Origins of other pages that may call.
            both: Settings of both services.
        """
        database = unused_database()
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with Emitter.running(client_topics=client_topics, allowed_origins=[url, *partners], **both) as emitter:
            given = {"auth": "off", "emitter_secret": SECRET, "instance": "api-1", **both}
            given["allowed_origins"] = partners
            reached = {"emitter_url": f"http://{emitter.address}", "public_ws_url": f"http://{emitter.address}"}
            app = create_app(Settings.model_validate({**given, **reached, "mongo_url": mongod.url(database)}))
            async with app.router.lifespan_context(app), serving(app, listener):
                await eventually(lambda: emitter.hub.position, message="the emitter has the history", timeout_s=30)
                async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                    yield cls(url, emitter, http)
        await mongod.drop(database)

    async def create(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create a product, and return it as the API did."""
        answer = await self.http.post("/products", json={"name": name, "price": "1", **fields})
        assert answer.status_code == HTTPStatus.CREATED, answer.text
        return dict(answer.json())


@contextlib.asynccontextmanager
async def serving(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application whose lifespan is somebody else's."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", headers=[("X-Served-By", "api-1")]))
    task = asyncio.create_task(server._serve([listener]))  # noqa: SLF001  # `serve` would take over our signals
    try:
        await eventually(lambda: server.started, message="the page is served")
        yield
    finally:
        server.should_exit = True
        await task
