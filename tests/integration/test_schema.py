import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.errors import DuplicateKeyError, WriteError

from api_service.database import Database, open_database
from api_service.errors import DatabaseUnavailable
from api_service.feed.changes import MAX_IMAGE_BYTES
from api_service.feed.lease import Lease
from api_service.schema import prepare_schema
from api_service.settings import Settings


def _settings(url: str) -> Settings:
    return Settings(
        mongo_url=SecretStr(url),
        auth="off",
        emitter_secret=SecretStr("a secret of the tests"),
        database_timeout_ms=30_000,
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database."""
    async with open_database(_settings(database_url)) as opened:
        yield opened


async def _prepare(database: Database, instance: str = "api-1") -> None:
    await prepare_schema(database, Lease(database, instance))


async def _options(database: Database) -> dict[str, Any]:
    [collection] = await (await database.handle.list_collections(filter={"name": "products"})).to_list(1)
    options: dict[str, Any] = collection["options"]
    return options


async def test_an_empty_database_is_prepared(database: Database) -> None:
    """Pre- and post-images, indexes, and a place for the feed to start from, before the first request."""
    await _prepare(database)

    assert (await _options(database))["changeStreamPreAndPostImages"] == {"enabled": True}
    assert set(await database.handle["products"].index_information()) == {
        "_id_",
        "newest_of_category",
        "one_product_a_key",
    }
    [feed] = await database.handle["feed"].find().to_list(2)
    assert feed["checkpoint"]
    assert feed["epoch"]


async def test_preparing_again_changes_nothing(database: Database) -> None:
    """Each start of each replica does it; above all the epoch stays."""
    await _prepare(database)
    feed, options = await database.handle["feed"].find_one(), await _options(database)
    await database.handle["products"].insert_one({"name": "kept"})

    await _prepare(database, "api-2")

    assert await database.handle["feed"].find_one() == feed
    assert (await _options(database)).items() >= options.items()
    assert await database.handle["products"].count_documents({}) == 1


async def test_several_replicas_prepare_at_the_same_time(database_url: str) -> None:
    """Whoever is first: there is one epoch, and nobody fails."""
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(open_database(_settings(database_url))) for _ in range(6)]

        await asyncio.gather(*(_prepare(database, f"api-{number}") for number, database in enumerate(databases)))

        assert await databases[0].handle["feed"].count_documents({}) == 1
        assert len(await databases[0].handle["products"].index_information()) == 3


async def test_a_collection_that_was_there_before_gets_what_it_lacks(database: Database) -> None:
    """Another program may have made it, with documents in it."""
    await database.handle["products"].insert_many([{"name": "theirs"}, {"name": "also theirs"}])

    await _prepare(database)

    options = await _options(database)
    assert options["changeStreamPreAndPostImages"] == {"enabled": True}
    assert "validator" in options
    assert await database.handle["products"].count_documents({}) == 2


async def test_a_document_that_is_too_large_to_be_told_cannot_come_into_being(database: Database) -> None:
    """Whoever writes it: the change stream could not carry it."""
    await _prepare(database)

    with pytest.raises(WriteError):
        await database.handle["products"].insert_one({"name": "x" * MAX_IMAGE_BYTES})


async def test_a_key_is_unique_and_no_key_is_not(database: Database) -> None:
    """The index is for documents with a key alone."""
    await _prepare(database)
    products = database.handle["products"]
    await products.insert_many([{}, {"idempotency": {"caller": "anyone"}}, {"idempotency": {"caller": "anyone"}}])
    key = {"caller": "anyone", "key": "k"}
    await products.insert_many([{"idempotency": key}, {"idempotency": {**key, "caller": "other"}}])

    with pytest.raises(DuplicateKeyError):
        await products.insert_one({"idempotency": key})


async def test_a_database_that_cannot_be_prepared(database: Database) -> None:
    """A view where the products should be: an error of ours, not the driver's."""
    await database.handle.create_collection("products", viewOn="others", pipeline=[])

    with pytest.raises(DatabaseUnavailable):
        await _prepare(database)


async def test_a_database_whose_name_is_taken_in_another_case(database: Database, database_url: str) -> None:
    """MongoDB refuses it; the refusal is not taken for a collection that is there already."""
    await _prepare(database)

    other = database_url.replace(database.handle.name, database.handle.name.upper())
    async with open_database(_settings(other)) as upper:
        with pytest.raises(DatabaseUnavailable):
            await _prepare(upper)
