"""What can be done with products. A change is one write and nothing else: the change stream tells everyone."""

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import structlog
from bson import ObjectId
from pydantic import JsonValue, ValidationError

from api_service import metrics
from api_service.database import Document
from api_service.errors import DatabaseUnavailable, KeyReused, NotFound, StaleVersion
from api_service.products.cursor import make_cursor, read_cursor
from api_service.products.ids import new_id
from api_service.products.repository import ProductRepository
from api_service.products.schemas import (
    BatchItem,
    BatchResult,
    Product,
    ProductDraft,
    ProductPage,
)
from shared.problems import FieldError, invalid_fields
from shared.serving.http.errors import HttpError, Invalid

_TRIES = 5

_log = structlog.get_logger(__name__)


class Created(NamedTuple):
    """A product, and whether this very call made it."""

    product: Product
    new: bool


class ProductService:
    """The product API's behaviour, without HTTP."""

    def __init__(self, repository: ProductRepository) -> None:
        self._repository = repository

    async def create(self, draft: ProductDraft, caller: str, key: str | None) -> Created:
        """Store a product, or return the one that the caller's `key` already made."""
        async with self._repository.deadline():
            for _ in range(_TRIES):
                document = _new_document(draft, caller, key)
                if await self._repository.insert(document):
                    return Created(_stored("create", document), new=True)
                # No document under the key any more: it was deleted between the two calls, so the key is free again.
                if key is not None and (earlier := await self._repository.find_by_key(caller, key)):
                    return Created(_made_before(earlier, draft, caller, key), new=False)
        raise DatabaseUnavailable("the product under this key comes and goes; try again")

    async def create_many(self, items: Sequence[JsonValue], caller: str) -> list[BatchResult]:
        """Create each item on its own merits; the results are in the order of the items."""
        results: dict[int, BatchResult] = {}
        drafts: dict[int, BatchItem] = {}
        for index, item in enumerate(items):
            try:
                drafts[index] = BatchItem.model_validate(item)
            except ValidationError as error:
                results[index] = _refused(Invalid.fields(invalid_fields(error)))
        results |= await self._insert_many(drafts, caller)
        return [results[index] for index in range(len(items))]

    async def _insert_many(self, items: Mapping[int, BatchItem], caller: str) -> dict[int, BatchResult]:
        documents = {index: _new_document(item.product, caller, item.idempotency_key) for index, item in items.items()}
        results: dict[int, BatchResult] = {}
        try:
            async with self._repository.deadline():
                refused = await self._repository.insert_many(list(documents.values())) if documents else set()
                taken = {index: items[index] for position, index in enumerate(documents) if position in refused}
                results |= {index: _made(document) for index, document in documents.items() if index not in taken}
                keys = [item.idempotency_key for item in taken.values() if item.idempotency_key]
                earlier = await self._repository.find_by_keys(caller, keys) if keys else {}
                for index, item in taken.items():
                    results[index] = await self._create_again(item, caller, earlier)
        except DatabaseUnavailable as error:
            if not results:
                raise
            # What was made must be told, or it would be made twice.
            results |= {index: _refused(error) for index in items if index not in results}
        return results

    async def _create_again(self, item: BatchItem, caller: str, earlier: Mapping[str, Document]) -> BatchResult:
        key = item.idempotency_key
        try:
            if key is not None and key in earlier:
                return BatchResult(status=200, product=_made_before(earlier[key], item.product, caller, key))
            created = await self.create(item.product, caller, key)
        except HttpError as error:
            return _refused(error)
        return BatchResult(status=201 if created.new else 200, product=created.product)

    async def read(self, product_id: ObjectId) -> Product:
        """Return a product; raise NotFound."""
        document = await self._repository.find(product_id)
        product = _product_or_none(document) if document else None
        if product is None:
            raise _not_found(product_id)
        return product

    async def page(self, *, limit: int, cursor: str | None, category: str | None, q: str | None) -> ProductPage:
        """Return a page of the newest products that match."""
        before = read_cursor(cursor, category, q) if cursor else None
        documents = await self._repository.newest(limit=limit + 1, before=before, category=category, q=q)
        page = documents[:limit]
        more = len(documents) > limit
        return ProductPage(
            # What another program stored and is no product is not shown, and does not end the page early.
            items=[product for document in page if (product := _product_or_none(document))],
            next_cursor=make_cursor(str(page[-1]["_id"]), category, q) if more else None,
        )

    async def patch(
        self, product_id: ObjectId, patch: Mapping[str, JsonValue], versions: AbstractSet[int] | None
    ) -> Product:
        """Apply a merge patch (RFC 7396) to the newest version, which must be one of `versions` if they are given."""
        async with self._repository.deadline():
            for _ in range(_TRIES):
                current = await self.read(product_id)
                if versions is not None and current.version not in versions:
                    raise StaleVersion(f"the product is at version {current.version}")
                changes = _changes(current, patch)
                if not changes:
                    return current
                changes["updated_at"] = _now()
                # None: it was changed or deleted in between. The next turn finds out which.
                if document := await self._repository.update(product_id, current.version, changes):
                    return _stored("update", document)
        raise DatabaseUnavailable("the product changes too often to be patched; try again")

    async def delete(self, product_id: ObjectId) -> None:
        """Remove a product; raise NotFound."""
        document = await self._repository.delete(product_id)
        if document is None:
            raise _not_found(product_id)
        # Of what was no product there is no event.
        product = _product_or_none(document)
        _tell("delete", product_id=str(product_id), event_id=product.deletion_id if product else None)


def _new_document(draft: ProductDraft, caller: str, key: str | None) -> Document:
    now = _now()
    document = {"_id": new_id(), **draft.document(), "version": 1, "created_at": now, "updated_at": now}
    if key is not None:
        document["idempotency"] = _idempotency(draft, caller, key)
    return document


def _stored(operation: str, document: Document) -> Product:
    product = Product.from_document(document)
    _tell(operation, product_id=product.id, event_id=product.event_id)
    return product


def _tell(operation: str, **ids: str | None) -> None:
    metrics.writes.labels(operation).inc()
    _log.info("product written", operation=operation, **ids)


def _idempotency(draft: ProductDraft, caller: str, key: str) -> Document:
    fingerprint = hashlib.sha256(orjson.dumps(draft.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {"caller": caller, "key": key, "fingerprint": fingerprint}


def _now() -> datetime:
    # Milliseconds, as MongoDB stores them: what is answered now is what is read later.
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _changes(current: Product, patch: Mapping[str, JsonValue]) -> dict[str, Any]:
    before = current.draft_fields()
    # RFC 7396: null removes a member; a draft without it has the default. One that no product has stays, to be refused.
    merged = {name: value for name, value in {**before, **patch}.items() if value is not None or name not in before}
    try:
        draft = ProductDraft.model_validate(merged)
    except ValidationError as error:
        raise Invalid.fields(invalid_fields(error)) from None
    after = draft.document()
    return {name: after[name] for name, value in draft.model_dump().items() if value != before[name]}


def _product_or_none(document: Document) -> Product | None:
    try:
        return Product.from_document(document)
    except ValueError:
        return None


def _made_before(document: Document, draft: ProductDraft, caller: str, key: str) -> Product:
    product = _product_or_none(document)
    if product is None or document["idempotency"] != _idempotency(draft, caller, key):
        message = "this key was used for another product; use a new key for a new request"
        raise KeyReused(message, [FieldError("Idempotency-Key", message)])
    return product


def _made(document: Document) -> BatchResult:
    return BatchResult(status=201, product=_stored("create", document))


def _refused(error: HttpError) -> BatchResult:
    return BatchResult(status=error.status, problem=error.problem())


def _not_found(product_id: ObjectId) -> NotFound:
    return NotFound(f"there is no product {product_id}", [FieldError("id", "names no product")])
