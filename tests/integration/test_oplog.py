"""A change stream on an oplog that really forgets: a mongod that keeps 5 MB of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient

from api_service.feed import changes, sequencer
from deploy.local.mongod import find_mongod
from deploy.local.mongod import mongod as mongod_program
from deploy.local.ports import free_ports
from shared.errors import StartupError
from tests.integration.candidate import candidate
from tests.integration.emitter import Emitter
from tests.integration.feed import Feed, product
from tests.mongod import Mongod, unused_database
from tests.processes import Processes
from tests.tools import missing
from tests.waiting import eventually

OPLOG_MB = 5


@pytest.fixture(scope="module")
async def forgetful(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    """A real MongoDB whose oplog can be rolled over in a second."""
    directory = tmp_path_factory.mktemp("forgetful")
    (directory / "data").mkdir()
    try:
        program = mongod_program(find_mongod(), directory / "data", free_ports(1)[0])
    except StartupError as error:
        missing(str(error))
    size = program.command.index("--oplogSize") + 1
    # A checkpoint every second: no more of the oplog is dropped than the last one covers.
    command = (*program.command[:size], str(OPLOG_MB), *program.command[size + 1 :], "--syncdelay", "1")
    with Processes([replace(program, command=command)], directory) as processes:
        processes.start_what_is_down()
        mongod = Mongod(processes[program.name])
        await mongod.writable()
        yield mongod


@pytest.fixture
async def feed(forgetful: Mongod) -> AsyncIterator[Feed]:
    async with Feed.open(forgetful.url(unused_database()), "watcher") as feed:
        yield feed


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


def url_of(mongod: Mongod, feed: Feed) -> str:
    return mongod.url(feed.database.handle.name)


async def roll_over(mongod: Mongod) -> None:
    """Write to another database until the oplog holds nothing of what was before."""
    last = (await ends(mongod))[1]
    while (await ends(mongod))[0] <= last:
        await write_megabyte(mongod)


async def write_megabyte(mongod: Mongod) -> None:
    await asyncio.to_thread(_write_megabyte, mongod.url("other"))


def _write_megabyte(url: str) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        client.get_default_database()["busy"].insert_many([{"x": "y" * 100_000} for _ in range(10)])


async def ends(mongod: Mongod) -> tuple[Timestamp, Timestamp]:
    """Return the times of the oldest and of the newest entry of the oplog."""
    return await asyncio.to_thread(_ends, mongod.url("local"))


def _ends(url: str) -> tuple[Timestamp, Timestamp]:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        oplog = client["local"]["oplog.rs"]
        first, last = (oplog.find_one({}, {"ts": 1}, sort=[("$natural", way)]) for way in (1, -1))
    assert first is not None
    assert last is not None
    return first["ts"], last["ts"]


async def test_a_token_that_has_left_the_oplog_is_told_to_everyone(
    forgetful: Mongod, feed: Feed, emitter: Emitter
) -> None:
    """Where MongoDB has forgotten what was committed while nobody led, a numbered `resync` says so; then it goes on."""
    url = url_of(forgetful, feed)
    async with AsyncExitStack() as stack:
        async with candidate(url, "api-1", emitter.address):
            await eventually(lambda: emitter.hub.position, message="the emitter has a position")
            everything = await stack.enter_async_context(emitter.client())
            books = await stack.enter_async_context(emitter.client({"topics": ["category:books"]}))
            for client in (everything, books):
                await client.welcome()
            await feed.products.insert_one(product("heard"))
            assert await everything.seqs(1) == [1]
        await feed.products.insert_one(product("forgotten"))
        await roll_over(forgetful)
        async with candidate(url, "api-2", emitter.address):
            for client in (everything, books):
                name, payload, meta, _ = await client.event()
                assert (name, payload, meta["seq"]) == ("resync", {"reason": "changes were missed"}, 2)
            await feed.products.insert_one(product("heard again"))
            name, payload, meta, _ = await everything.event()
            assert (name, payload["name"], meta["seq"]) == ("new_product", "heard again", 3)


async def test_a_quiet_catalogue_outlives_the_oplog(
    forgetful: Mongod, feed: Feed, emitter: Emitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other traffic pushes the last product's token out of the oplog; by the checkpoints nothing is missed."""
    monkeypatch.setattr(sequencer, "CHECKPOINT_EVERY_S", 0.0)
    monkeypatch.setattr(changes, "AWAIT_MS", 20)
    url = url_of(forgetful, feed)
    async with candidate(url, "api-1", emitter.address):
        await feed.products.insert_one(product("before"))
        await eventually(lambda: emitter.hub.history.last == 1, message="the emitter has the event")
        last = (await ends(forgetful))[1]
        # Step by step: a reader that is slower than all of this traffic may lose its place, and says so.
        while (await ends(forgetful))[0] <= last:
            await write_megabyte(forgetful)
            await checkpointed(feed)
    with pytest.raises(changes.TokenLost):
        await read_after((await feed.log.end()).token, feed)
    await feed.products.insert_one(product("after"))
    async with candidate(url, "api-2", emitter.address):
        events = await feed.events(2)
    assert [(event.event, event.payload["name"]) for event in events] == [  # type: ignore[index,call-overload]  # products
        ("new_product", "before"),
        ("new_product", "after"),
    ]


async def checkpointed(feed: Feed) -> None:
    """Wait until a checkpoint was written that lies after this call."""
    reply = await feed.database.handle.command("ping")
    now: Timestamp = reply["operationTime"]

    async def later() -> bool:
        document = await feed.database.handle["feed"].find_one()
        assert document is not None
        return token_time(document["checkpoint"]) >= now

    await eventually(later, message="a checkpoint is written")


def token_time(token: changes.Token) -> Timestamp:
    """Return the cluster time that a resume token begins with, behind one byte that gives its type."""
    return Timestamp(int(token["_data"][2:10], 16), int(token["_data"][10:18], 16))


async def read_after(token: changes.Token | None, feed: Feed) -> None:
    async with changes.open_changes(feed.database, token) as stream:
        await stream.next()
