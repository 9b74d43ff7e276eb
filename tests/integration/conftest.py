import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from limits.aio.storage import memory
from pydantic import SecretStr

from api_service.app import create_app
from api_service.settings import Settings
from tests.clock import Clock
from tests.mongod import Mongod, unused_database
from tests.redis_server import RedisServer


def _settings(database_url: str) -> Settings:
    return Settings(
        instance="api-under-test",
        mongo_url=SecretStr(database_url),
        emitter_url="http://127.0.0.1:1",
        emitter_secret=SecretStr("a secret of the tests"),
        auth="off",
        writes_per_second=0,
        # A busy machine is not what these tests are about.
        database_timeout_ms=30_000,
    )


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    # A fault of ours is raised in the test instead of being answered with 500.
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        yield client


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of one's own, which answers."""
    with RedisServer(tmp_path) as server:
        await server.answers()
        yield server


@pytest.fixture
def still_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """In which rates are counted here: a test on a busy machine may take longer than one lasts."""
    now = time.time()
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which tokens expire here."""
    return Clock.placed(monkeypatch)


@pytest.fixture
def api_settings(database_url: str) -> Settings:
    """Settings of one API replica on a database of its own. Nothing listens where it looks for the emitter."""
    return _settings(database_url)


@pytest.fixture
async def api_app(api_settings: Settings) -> AsyncIterator[FastAPI]:
    """The product API in this process, started: it has prepared its database and campaigns for the lease."""
    app = create_app(api_settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(api_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the product API, whose database is this test's alone."""
    async with _client(api_app) as client:
        yield client


@pytest.fixture(scope="module")
async def shared_api(mongod: Mongod) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a product API for tests that do not mind what the others of their file have stored."""
    database = unused_database()
    app = create_app(_settings(mongod.url(database)))
    async with app.router.lifespan_context(app), _client(app) as client:
        yield client
    await mongod.drop(database)
