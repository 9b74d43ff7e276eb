"""What MongoDB has to know about our collections. Safe to run at any time, by several replicas at once."""

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from api_service.database import Database, Document
from api_service.feed import changes
from api_service.feed.lease import Lease
from api_service.products.repository import COLLECTION

# An image over this size is not told to anyone, so that no such document may come into being here.
_SMALL_ENOUGH = {"$expr": {"$lt": [{"$bsonSize": "$$ROOT"}, changes.MAX_IMAGE_BYTES]}}
_OPTIONS: Document = {"changeStreamPreAndPostImages": {"enabled": True}, "validator": _SMALL_ENOUGH}
_INDEXES = [
    IndexModel([("category", ASCENDING), ("_id", DESCENDING)], name="newest_of_category"),
    IndexModel(
        [("idempotency.caller", ASCENDING), ("idempotency.key", ASCENDING)],
        name="one_product_a_key",
        unique=True,
        partialFilterExpression={"idempotency.key": {"$exists": True}},
    ),
]
_NAMESPACE_EXISTS = 48


async def prepare_schema(database: Database, lease: Lease) -> None:
    """Make the collection, its indexes and the feed's document, where they are missing.

    The feed's first checkpoint is made here, before the first request: what is created from now on is seen.
    """
    await _prepare_products(database)
    if not await lease.exists():
        async with changes.open_changes(database, None) as stream:
            await lease.create(stream.opened.token)


async def _prepare_products(database: Database) -> None:
    async with database.call():
        try:
            await database.handle.create_collection(COLLECTION, check_exists=False, **_OPTIONS)
        except OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise
            if not await _has_options(database):
                await database.handle.command("collMod", COLLECTION, **_OPTIONS)
        await database.handle[COLLECTION].create_indexes(_INDEXES)


async def _has_options(database: Database) -> bool:
    # Asked first: the command takes an exclusive lock, for all writers to wait for.
    found = await (await database.handle.list_collections(filter={"name": COLLECTION})).to_list(1)
    options = found[0]["options"] if found else {}
    return all(options.get(name) == value for name, value in _OPTIONS.items())
