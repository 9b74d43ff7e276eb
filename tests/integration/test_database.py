import asyncio
import dataclasses
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import gridfs.errors
import httpx
import pytest
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import SecretStr
from pymongo.errors import (
    BulkWriteError,
    ClientBulkWriteException,
    DuplicateKeyError,
    EncryptedCollectionError,
    PyMongoError,
)

from api_service.app import create_app
from api_service.database import Clients, Database, Document, open_database
from api_service.errors import DatabaseUnavailable
from api_service.settings import Settings
from deploy.local.mongod import find_mongod
from deploy.local.mongod import mongod as mongod_program
from deploy.local.ports import free_ports
from deploy.local.replica_set import step_to_primary
from shared.problems import CONTENT_TYPE
from tests.integration.drafts import DRAFT, create, names
from tests.mongod import Mongod
from tests.processes import Processes
from tests.waiting import eventually, quick

TIMEOUT_MS = 1_000
# The deadline itself, and what a busy machine adds.
BOUND_S = TIMEOUT_MS / 1000 + 9
ID = "0123456789abcdef01234567"


def _settings(url: str, **fields: Any) -> Settings:
    return Settings(
        mongo_url=SecretStr(url),
        auth="off",
        emitter_secret=SecretStr("a secret of the tests"),
        emitter_url="http://127.0.0.1:1",
        **{"database_timeout_ms": TIMEOUT_MS, "startup_timeout_ms": 10_000, **fields},
    )


def _subclasses(cls: type[PyMongoError]) -> set[type[PyMongoError]]:
    return {cls}.union(*(_subclasses(each) for each in cls.__subclasses__()))


def _instance(cls: type[PyMongoError]) -> PyMongoError:
    results: dict[str, Any] = {"writeErrors": [], "writeConcernErrors": []}
    odd: dict[type[PyMongoError], PyMongoError] = {
        BulkWriteError: BulkWriteError(results),
        ClientBulkWriteException: ClientBulkWriteException(results, verbose=False),
        EncryptedCollectionError: EncryptedCollectionError(PyMongoError(), {}),
    }
    return odd.get(cls) or cls("reason")


@pytest.fixture
async def unconnected() -> AsyncIterator[Database]:
    """A database that nobody has called yet."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient("mongodb://127.0.0.1:1")
    yield Database(Clients(client, client), "storecast", timeout_s=0.05)
    client.close()


_ERRORS = sorted(_subclasses(PyMongoError) - {DuplicateKeyError, BulkWriteError}, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("error", _ERRORS)
async def test_every_error_of_the_driver_becomes_ours(unconnected: Database, error: type[PyMongoError]) -> None:
    """Nothing behind this edge has to know the driver's errors, and none is forgotten."""
    with pytest.raises(DatabaseUnavailable) as raised:
        async with unconnected.call():
            raise _instance(error)

    assert "reason" not in raised.value.detail


def test_the_driver_has_as_many_errors_as_we_know() -> None:
    """The walk above has found the driver's errors, also those of its parts."""
    assert gridfs.errors.NoFile in _ERRORS
    assert len(_ERRORS) > 20


@pytest.mark.parametrize("error", [DuplicateKeyError, BulkWriteError])
async def test_what_only_the_caller_understands_passes(unconnected: Database, error: type[PyMongoError]) -> None:
    """A key that is taken is an answer and no failure."""
    with pytest.raises(error):
        async with unconnected.call():
            raise _instance(error)


async def test_a_fault_of_ours_is_not_the_databases(unconnected: Database) -> None:
    """It must not look like something that another try could mend."""
    with pytest.raises(ZeroDivisionError):
        async with unconnected.call():
            raise ZeroDivisionError


async def test_a_call_has_a_deadline(unconnected: Database) -> None:
    """Whatever keeps it waiting, also where the driver itself does not notice."""
    with pytest.raises(DatabaseUnavailable):
        async with unconnected.call():
            await asyncio.Event().wait()


async def test_a_call_that_is_cancelled_is_cancelled(unconnected: Database) -> None:
    """A shutdown is no failure of the database."""
    with pytest.raises(asyncio.CancelledError):
        async with unconnected.call():
            raise asyncio.CancelledError


@pytest.mark.parametrize(("path", "name"), [("", "storecast"), ("/", "storecast"), ("/shop", "shop")])
async def test_the_url_names_the_database(mongod: Mongod, path: str, name: str) -> None:
    """Without a name it is `storecast`."""
    url = mongod.url("").replace("/?", f"{path}?" if path.startswith("/") else "/?")

    async with open_database(_settings(url)) as database:
        assert database.handle.name == name


async def test_nothing_is_read_or_written_that_could_be_taken_back(database_url: str) -> None:
    """Majority, whatever the URL says."""
    async with open_database(_settings(f"{database_url}&w=1&readConcernLevel=local")) as database:
        assert database.handle.write_concern.document == {"w": "majority"}
        assert database.handle.read_concern.level == "majority"


async def test_documents_that_python_cannot_hold_can_be_read(database_url: str) -> None:
    """A date beyond the year 9999 stands in the way of nothing."""
    async with open_database(_settings(database_url)) as database:
        await database.handle.command({"insert": "products", "documents": [{"_id": 1}]})
        far = {"$set": {"far": {"$dateFromParts": {"year": 9999, "month": 12, "day": 32}}}}
        await database.handle["products"].update_one({}, [far])

        assert await database.handle["products"].count_documents({}) == len(
            await database.handle["products"].find().to_list(None)
        )


@pytest.fixture(scope="module")
async def own_mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    """A MongoDB that the tests of this file may stop."""
    async with Mongod.running(tmp_path_factory.mktemp("own")) as mongod:
        yield mongod


@pytest.fixture(scope="module")
async def own_app(own_mongod: Mongod) -> AsyncIterator[FastAPI]:
    """The product API on that MongoDB."""
    app = create_app(_settings(own_mongod.url("away"), startup_timeout_ms=30_000))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(own_app: FastAPI, own_mongod: Mongod) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it; MongoDB is back when the test has ended."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(own_app), base_url="http://api") as client:
        await eventually(lambda: _ready(client), message="the API is ready", timeout_s=30)
        yield client
        own_mongod.process.send(signal.SIGCONT)
        if not own_mongod.process.running:
            own_mongod.process.start()
            await own_mongod.writable()


async def _ready(api: httpx.AsyncClient) -> bool:
    return (await api.get("/readyz")).status_code == 200


CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/products", DRAFT),
    ("POST", "/products/batch", {"items": [{"product": DRAFT}]}),
    ("GET", "/products", None),
    ("GET", f"/products/{ID}", None),
    ("PATCH", f"/products/{ID}", {"stock": 1}),
    ("DELETE", f"/products/{ID}", None),
    ("GET", "/events", None),
]


async def _everything_answers_503(api: httpx.AsyncClient) -> None:
    async def one(method: str, path: str, body: Any) -> None:
        began = time.monotonic()
        response = await api.request(method, path, json=body)
        assert time.monotonic() - began < BOUND_S, path
        assert (response.status_code, response.headers.get("Retry-After")) == (503, "1"), path
        assert response.headers["Content-Type"] == CONTENT_TYPE

    # More of them at once than the driver has threads.
    await asyncio.gather(*(one(*call) for call in CALLS * 4))


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_while_mongodb_is_away(api: httpx.AsyncClient, own_mongod: Mongod, number: signal.Signals) -> None:
    """Hung or dead: reads and writes are 503 within a bounded time, the process lives, and all is well afterwards."""
    await create(api, name=f"before {number.name}")
    own_mongod.process.send(number)

    await asyncio.gather(_everything_answers_503(api), _only_readiness_is_lost(api))

    own_mongod.process.send(signal.SIGCONT)
    if number == signal.SIGKILL:
        await own_mongod.process.ended()
        own_mongod.process.start()
    await eventually(lambda: _ready(api), message="ready again", timeout_s=30)
    await create(api, name=f"after {number.name}")
    assert {f"before {number.name}", f"after {number.name}"} <= set(await names(api))


async def _only_readiness_is_lost(api: httpx.AsyncClient) -> None:
    async def look() -> float:
        began = time.monotonic()
        assert (await api.get("/livez")).status_code == 200
        return time.monotonic() - began

    await quick(look, under_s=TIMEOUT_MS / 1000, message="liveness is told")
    began = time.monotonic()
    readiness = await api.get("/readyz")
    assert time.monotonic() - began < 2 * BOUND_S
    assert (readiness.status_code, readiness.json()["status"]) == (503, "unavailable")


async def test_a_write_without_an_answer_can_be_tried_again(api: httpx.AsyncClient, own_mongod: Mongod) -> None:
    """Nobody knows whether it was stored: with its key, a retry makes sure of it, once."""
    headers = {"Idempotency-Key": "unknown"}
    own_mongod.process.send(signal.SIGSTOP)
    lost = await api.post("/products", json={**DRAFT, "name": "unknown"}, headers=headers)
    own_mongod.process.send(signal.SIGCONT)
    await eventually(lambda: _ready(api), message="ready again", timeout_s=30)

    retry = await api.post("/products", json={**DRAFT, "name": "unknown"}, headers=headers)

    assert lost.status_code == 503
    assert retry.status_code in {200, 201}
    assert (await names(api)).count("unknown") == 1


async def _refused(url: str, **fields: Any) -> str:
    with pytest.raises(Exception, match=r"^STORECAST_MONGO_URL: ") as refused:
        async with open_database(_settings(url, **fields)):
            raise AssertionError
    assert type(refused.value).__name__ == "StartupError"
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "mongodb://", "http://h", "mongodb://h/a b", "mongodb://h/a%00b", "mongodb://h/a%5Cb", "mongodb://h:0x1"),
        *("mongodb://u:hunter2@/db", "mongodb://u:hunter2@h:99999", "mongodb://u:a@hunter2@h", "mongodb://[::1"),
        *("mongodb://u:a/hunter2@h/db", "mongodb://u:a:hunter2@h", "mongodb://%u:hunter2@h", "mongodb://h/?hunter2"),
        *("mongodb+srv://u:hunter2@h:1/db", "mongodb+srv://u:hunter2@h,i/db"),
    ],
)
async def test_a_url_that_is_none(url: str) -> None:
    """One line that shows what a URL looks like, and nothing of one that may carry a password."""
    assert "mongodb://USER:PASSWORD@HOST" in await _refused(url)


async def test_nothing_listens() -> None:
    """The message has the address and no more of the URL; the start gives up in time."""
    began = time.monotonic()

    message = await _refused("mongodb://user:hunter2@127.0.0.1:1/shop?replicaSet=rs0", startup_timeout_ms=300)

    assert "127.0.0.1:1" in message
    assert time.monotonic() - began < 5


async def test_a_server_that_hangs(own_mongod: Mongod) -> None:
    """The start gives up in time, also where connections are taken and nothing is said."""
    own_mongod.process.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        await _refused(own_mongod.url("shop"), startup_timeout_ms=300)
        assert time.monotonic() - began < 5
    finally:
        own_mongod.process.send(signal.SIGCONT)


async def test_a_password_that_is_wrong(mongod: Mongod) -> None:
    """The server's reason is told, the password is not."""
    message = await _refused(mongod.url("shop").replace("://", "://user:hunter2@"))

    assert "Authentication failed" in message


async def test_mongodb_is_too_old(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 6.0 there are no pre-images: the message has the version and what is needed."""

    async def old(_client: object) -> dict[str, Any]:
        return {"version": "5.0.31", "versionArray": [5, 0, 31, 0]}

    monkeypatch.setattr(AsyncIOMotorClient, "server_info", old)

    assert "is 5.0.31: 6.0 or newer is needed" in await _refused(database_url)


@pytest.fixture
async def lone_mongod(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a MongoDB that is no replica set (by parameter: of one that is not initiated)."""
    [port] = free_ports(1)
    data = tmp_path / "data"
    data.mkdir()
    program = mongod_program(find_mongod(), data, port)
    if not getattr(request, "param", False):
        at = program.command.index("--replSet")
        program = dataclasses.replace(program, command=program.command[:at] + program.command[at + 2 :])
    with Processes([program], tmp_path) as processes:
        processes.start_what_is_down()
        yield program.address


async def test_mongodb_is_no_replica_set(lone_mongod: str) -> None:
    """There are no change streams then: the message says how to make it one."""
    assert "mongod with --replSet rs0 and run rs.initiate()" in await _refused(f"mongodb://{lone_mongod}/shop")


@pytest.mark.parametrize("lone_mongod", [True], indirect=True)
async def test_a_replica_set_that_is_being_made_is_waited_for(lone_mongod: str) -> None:
    """Everything may be started at the same time."""
    await _refused(f"mongodb://{lone_mongod}/shop?directConnection=true", startup_timeout_ms=3_000)
    settings = _settings(f"mongodb://{lone_mongod}/shop?directConnection=true", startup_timeout_ms=30_000)

    async def opened() -> bool:
        async with open_database(settings) as database:
            return (await database.client.admin.command("hello"))["isWritablePrimary"] is True

    opening = asyncio.create_task(opened())
    await eventually(lambda: _initiated(lone_mongod), message="a primary", timeout_s=30)
    assert await opening


async def _initiated(address: str) -> bool:
    return await step_to_primary([address]) is None


def _never(*_: object) -> NoReturn:
    raise AssertionError


async def test_nothing_connects_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application can be built, for its OpenAPI document say, where there is no database."""
    monkeypatch.setattr("api_service.database.AsyncIOMotorClient", _never)

    assert create_app(_settings("mongodb://127.0.0.1:1/shop")).openapi()["paths"]
