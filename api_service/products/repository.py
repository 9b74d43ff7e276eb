"""The only file that touches the `products` collection on behalf of callers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError

from api_service.database import Database, Document
from api_service.errors import DatabaseUnavailable

COLLECTION = "products"
DUPLICATE_KEY = 11000  # MongoDB's error code


class ProductRepository:
    """Products in MongoDB. Every write is acknowledged by a majority."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._products = database.handle[COLLECTION]

    async def insert(self, document: Document) -> bool:
        """Store a new product; False if its idempotency key is taken."""
        try:
            async with self._database.call():
                await self._products.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def insert_many(self, documents: Sequence[Document]) -> set[int]:
        """Store new products; return the indexes of those whose idempotency key is taken."""
        try:
            async with self._database.call():
                await self._products.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(each["code"] != DUPLICATE_KEY for each in failed):
                raise DatabaseUnavailable("the batch was stored in part; send it again with keys") from error
            return {each["index"] for each in failed}
        return set()

    async def find(self, product_id: ObjectId) -> Document | None:
        """Return the document of one product."""
        async with self._database.call():
            return await self._products.find_one({"_id": product_id})

    async def find_by_key(self, caller: str, key: str) -> Document | None:
        """Return the product that `caller` created under an idempotency key."""
        async with self._database.call():
            return await self._products.find_one({"idempotency.caller": caller, "idempotency.key": key})

    async def newest(
        self, *, limit: int, before: ObjectId | None, category: str | None, q: str | None
    ) -> list[Document]:
        """Return up to `limit` documents, newest first."""
        # No page could be continued after an id of another type, as other programs may have given.
        query: Document = {"_id": {"$type": "objectId"} if before is None else {"$lt": before}}
        if category is not None:
            query["category"] = category
        if q is not None:
            # Escaped, so that a caller's text is text: no pattern of theirs is ever run.
            text = {"$regex": re.escape(q), "$options": "i"}
            query["$or"] = [{"name": text}, {"description": text}, {"tags": text}]
        async with self._database.call():
            return await self._products.find(query).sort("_id", -1).limit(limit).to_list(limit)

    async def update(self, product_id: ObjectId, version: int, fields: Mapping[str, Any]) -> Document | None:
        """Set fields of the product if it still has this version; return it as it is then, else None."""
        async with self._database.call():
            return await self._products.find_one_and_update(
                # A product that another program stored without a version counts as its first.
                {"_id": product_id, "version": version if version != 1 else {"$in": [1, None]}},
                {"$set": {**fields, "version": version + 1}},
                return_document=ReturnDocument.AFTER,
            )

    async def delete(self, product_id: ObjectId) -> bool:
        """Remove a product; False if there is none."""
        async with self._database.call():
            return (await self._products.delete_one({"_id": product_id})).deleted_count == 1
