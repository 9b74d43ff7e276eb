"""The connection to MongoDB: how it is opened, what is demanded of it, and the edge where its errors become ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, NamedTuple

import pymongo
import structlog
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from api_service import metrics
from api_service.errors import DatabaseUnavailable
from api_service.settings import Settings
from shared.errors import StartupError

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]

DEFAULT_NAME = "storecast"
# Fewer than Motor has threads: however many slow requests there are, the lease is renewed and the changes are read.
REQUEST_SLOTS = 24
# The change stream's first answer may come late: the server reads all other traffic since the token for it.
STREAM_TIMEOUT_MS = 300_000
_EXAMPLE_URL = "mongodb://USER:PASSWORD@HOST:27017/DATABASE?replicaSet=rs0, user and password percent-encoded"
OLDEST_MONGODB = (6, 0)  # the first with pre- and post-images of a change

_log = structlog.get_logger(__name__)


class Clients(NamedTuple):
    """The driver's clients: one for calls that end soon, one for those that may read for minutes."""

    calls: "AsyncIOMotorClient[Document]"
    streams: "AsyncIOMotorClient[Document]"


class Database:
    """An open MongoDB database whose every call has an overall deadline."""

    def __init__(self, clients: "Clients", name: str, timeout_s: float, slots: int | None = None) -> None:
        self.handle: AsyncIOMotorDatabase[Document] = clients.calls[name]
        self.streams: AsyncIOMotorDatabase[Document] = clients.streams[name]
        self._clients = clients
        self._name = name
        self._timeout_s = timeout_s
        self._slots: AbstractAsyncContextManager[None] = asyncio.Semaphore(slots) if slots else nullcontext()

    @property
    def client(self) -> "AsyncIOMotorClient[Document]":
        """The driver's client of ordinary calls."""
        return self._clients.calls

    def for_requests(self) -> "Database":
        """Return the same database for callers from outside: they wait for each other, and never occupy all threads."""
        return Database(self._clients, self._name, self._timeout_s, REQUEST_SLOTS)

    @asynccontextmanager
    async def call(self, at_most_s: float | None = None) -> AsyncIterator[None]:
        """Run driver calls under one deadline, retries and elections included.

        A duplicate key and a partly failed bulk write pass as they are: only the caller knows what they mean.

        Raises:
            DatabaseUnavailable: anything else went wrong; whether a write was stored is then unknown.
        """
        async with self.deadline(at_most_s), self._slots:
            yield

    @asynccontextmanager
    async def deadline(self, at_most_s: float | None = None) -> AsyncIterator[None]:
        """Have all calls within it end together. Deadlines nest: the earliest counts."""
        timeout_s = min(self._timeout_s, at_most_s or self._timeout_s)
        async with self.held_call(timeout_s):
            with pymongo.timeout(timeout_s):
                yield

    @asynccontextmanager
    async def held_call(self, timeout_s: float) -> AsyncIterator[None]:
        """Like `call`, for a command whose `maxTimeMS` is the server's and not the driver's: `getMore` that waits."""
        try:
            # The driver's deadline ends the work; this one ends our wait where the driver's threads are all busy.
            async with asyncio.timeout(timeout_s):
                yield
        except (DuplicateKeyError, BulkWriteError):
            raise
        except (PyMongoError, TimeoutError) as error:
            metrics.database_failures.inc()
            _log.warning("database call failed", error=str(error) or type(error).__name__)
            raise DatabaseUnavailable("the database does not answer; try again in a second") from error


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to MongoDB and close the connection at the end.

    Raises:
        StartupError: the URL is wrong, nothing answers there, or it is not a replica set of MongoDB 6.0 or newer.
    """
    clients, name = clients_of(settings)
    client = clients.calls
    try:
        async with _startup_deadline(settings, client):
            await _demand_replica_set(client)
            await _demand_version(client)
        yield Database(clients, name, settings.database_timeout_ms / 1000)
    finally:
        for each in clients:
            each.close()


def clients_of(settings: Settings) -> tuple[Clients, str]:
    """Return clients, which connect at their first call, and the name of our database; raise StartupError."""
    try:
        clients = Clients(
            calls=_client(settings, settings.database_timeout_ms), streams=_client(settings, STREAM_TIMEOUT_MS)
        )
        return clients, clients.calls.get_default_database(DEFAULT_NAME).name
    except (PyMongoError, ValueError) as error:
        # The driver quotes what it takes for a database name: the rest of a password with a slash that is not escaped.
        reason = str(error).partition(' "')[0]
        raise StartupError(f"STORECAST_MONGO_URL: {reason}; it looks like {_EXAMPLE_URL}") from None


def _client(settings: Settings, socket_timeout_ms: int) -> "AsyncIOMotorClient[Document]":
    return AsyncIOMotorClient(
        settings.mongo_url.get_secret_value(),
        appname="storecast-api",
        connectTimeoutMS=2_000,
        socketTimeoutMS=socket_timeout_ms,
        serverSelectionTimeoutMS=settings.database_timeout_ms,
        w="majority",
        # Nobody is ever shown, and no number is ever given to, what an election could still take back.
        readConcernLevel="majority",
        tz_aware=True,
        # One document with a date beyond year 9999 or broken text must not stop the reading of all others.
        datetime_conversion="DATETIME_AUTO",
        unicode_decode_error_handler="replace",
    )


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
