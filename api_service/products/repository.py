"""The only file that touches the `products` collection on behalf of callers."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError

from api_service.database import Database, Document
from api_service.errors import DatabaseUnavailable
from api_service.products.searches import Searches

COLLECTION = "products"
SEARCH_S = 2.0
DUPLICATE_KEY = 11000  # MongoDB's error code


class ProductRepository:
    """Products in MongoDB. Every write is acknowledged by a majority."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._products = database.handle[COLLECTION]
        self.searches = Searches()

    def deadline(self) -> AbstractAsyncContextManager[None]:
        """Give all calls within the context one deadline together; they still have their own, and the earliest counts.

        Raises:
            DatabaseUnavailable: on leaving the context, if the time ran out.
        """
        return self._database.deadline()

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

    async def find_by_keys(self, caller: str, keys: Sequence[str]) -> dict[str, Document]:
        """Return the products that `caller` created under any of these idempotency keys, by key.

        What another program stored in another form is left out, as if it were gone: `find_by_key` finds it.
        """
        query = {"idempotency.caller": caller, "idempotency.key": {"$in": list(keys)}}
        async with self._database.call():
            found = await self._products.find(query).to_list(None)
        return {key: document for document in found if (key := _key(document)) is not None}

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
            # It reads all of the catalogue where little matches: it may take less time than what changes something.
            async with self.searches.turn(), self._database.call(SEARCH_S):
                return await self._read(query, limit)
        async with self._database.call():
            return await self._read(query, limit)

    async def _read(self, query: Document, limit: int) -> list[Document]:
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

    async def delete(self, product_id: ObjectId) -> Document | None:
        """Remove a product; return it as it was, or None if there is none."""
        async with self._database.call():
            return await self._products.find_one_and_delete({"_id": product_id})


def _key(document: Document) -> str | None:
    held = document["idempotency"]
    return held["key"] if isinstance(held, dict) and isinstance(held["key"], str) else None
