"""The connection to MongoDB: how it is opened, what is demanded of it, and the edge where its errors become ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pymongo
import structlog
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from api_service.errors import DatabaseUnavailable
from api_service.settings import Settings
from shared.errors import StartupError

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]

DEFAULT_NAME = "storecast"
_EXAMPLE_URL = "mongodb://USER:PASSWORD@HOST:27017/DATABASE?replicaSet=rs0, user and password percent-encoded"
OLDEST_MONGODB = (6, 0)  # the first with pre- and post-images of a change

_log = structlog.get_logger(__name__)


class Database:
    """An open MongoDB database whose every call has an overall deadline."""

    def __init__(self, client: "AsyncIOMotorClient[Document]", name: str, timeout_s: float) -> None:
        self.client = client
        self.handle: AsyncIOMotorDatabase[Document] = client[name]
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Run driver calls under one deadline, retries and elections included.

        A duplicate key and a partly failed bulk write pass as they are: only the caller knows what they mean.

        Raises:
            DatabaseUnavailable: anything else went wrong; whether a write was stored is then unknown.
        """
        async with self.held_call():
            with pymongo.timeout(self._timeout_s):
                yield

    @asynccontextmanager
    async def held_call(self) -> AsyncIterator[None]:
        """Like `call`, for a command whose `maxTimeMS` is the server's and not the driver's: `getMore` that waits."""
        try:
            # The driver's deadline ends the work; this one ends our wait where the driver's threads are all busy.
            async with asyncio.timeout(self._timeout_s):
                yield
        except (DuplicateKeyError, BulkWriteError):
            raise
        except (PyMongoError, TimeoutError) as error:
            _log.warning("database call failed", error=str(error) or type(error).__name__)
            raise DatabaseUnavailable("the database does not answer; try again in a second") from error


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to MongoDB and close the connection at the end.

    Raises:
        StartupError: the URL is wrong, nothing answers there, or it is not a replica set of MongoDB 6.0 or newer.
    """
    client, name = _client(settings)
    try:
        async with _startup_deadline(settings, client):
            await _demand_replica_set(client)
            await _demand_version(client)
        yield Database(client, name, settings.database_timeout_ms / 1000)
    finally:
        client.close()


def _client(settings: Settings) -> "tuple[AsyncIOMotorClient[Document], str]":
    """Return a client, which connects at its first call, and the name of our database."""
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            settings.mongo_url.get_secret_value(),
            appname="storecast-api",
            connectTimeoutMS=2_000,
            socketTimeoutMS=settings.database_timeout_ms,
            serverSelectionTimeoutMS=settings.database_timeout_ms,
            w="majority",
            # Nobody is ever shown, and no number is ever given to, what an election could still take back.
            readConcernLevel="majority",
            tz_aware=True,
            # One document with a date beyond year 9999 or broken text must not stop the reading of all others.
            datetime_conversion="DATETIME_AUTO",
            unicode_decode_error_handler="replace",
        )
        return client, client.get_default_database(DEFAULT_NAME).name
    except (PyMongoError, ValueError) as error:
        # The driver quotes what it takes for a database name: the rest of a password with a slash that is not escaped.
        reason = str(error).partition(' "')[0]
        raise StartupError(f"STORECAST_MONGO_URL: {reason}; it looks like {_EXAMPLE_URL}") from None


@asynccontextmanager
async def _startup_deadline(settings: Settings, client: "AsyncIOMotorClient[Document]") -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(settings.startup_timeout_ms / 1000):
            with pymongo.timeout(settings.startup_timeout_ms / 1000):
                yield
    except (PyMongoError, TimeoutError) as error:
        reason = str(error).partition(", Timeout:")[0] or "no primary in time"
        raise StartupError(f"STORECAST_MONGO_URL: MongoDB cannot be used at {_address(client)}: {reason}") from None


def _address(client: "AsyncIOMotorClient[Document]") -> str:
    # The seeds rather than the URL, which may carry a password.
    return ", ".join(
        f"{host}:{port}" for host, port in sorted(client.delegate.topology_description.server_descriptions())
    )


async def _demand_replica_set(client: "AsyncIOMotorClient[Document]") -> None:
    while True:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary") and ("setName" in hello or hello.get("msg") == "isdbgrid"):
            return
        if not ("setName" in hello or hello.get("isreplicaset")):
            raise StartupError(
                f"STORECAST_MONGO_URL: MongoDB at {_address(client)} is not a replica set, which change streams need: "
                "start mongod with --replSet rs0 and run rs.initiate() once"
            )
        await asyncio.sleep(0.25)  # a set that is being initiated or is electing


async def _demand_version(client: "AsyncIOMotorClient[Document]") -> None:
    build = await client.server_info()
    if tuple(build["versionArray"][:2]) < OLDEST_MONGODB:
        oldest = ".".join(map(str, OLDEST_MONGODB))
        raise StartupError(
            f"STORECAST_MONGO_URL: MongoDB at {_address(client)} is {build['version']}: {oldest} or newer is needed"
        )
