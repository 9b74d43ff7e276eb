"""`/products`: requests in, answers out. What happens in between is in `service.py`."""

import re
from typing import Annotated, cast

from bson import ObjectId
from fastapi import Body, Depends, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from api_service.callers import Caller, guarded_router
from api_service.errors import NotFound
from api_service.products.ids import parse_id
from api_service.products.schemas import (
    Batch,
    BatchResults,
    IdempotencyKey,
    Product,
    ProductDraft,
    ProductPage,
    Slug,
    single_line,
)
from api_service.products.service import ProductService
from shared.identity.identity import PRODUCTS_READ, PRODUCTS_WRITE
from shared.problems import FieldError
from shared.serving.http.errors import Invalid, WrongMediaType

PATH = "/products"
BATCH_PATH = "/products/batch"

# RFC 9110, section 8.8.3. Only what is strong and a version can be the tag of a product.
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")
_OUR_TAG = re.compile(r'(?<!W/)"(0|[1-9][0-9]{0,15})"')


# What can be done with a product that was made, for programs that follow the document.
_LINKS = {
    name: {"operationId": f"{name}_products__product_id__{method}", "parameters": {"product_id": "$response.body#/id"}}
    for name, method in (("read", "get"), ("patch", "patch"), ("delete", "delete"))
}


# Dependencies are coroutines, although none waits: each plain function would be sent to a thread, for every request.
async def _service(request: Request) -> ProductService:
    return cast(ProductService, request.app.state.products)


async def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {"application/json", "application/merge-patch+json"}:
        message = "send the body as application/json"
        raise WrongMediaType(message, [FieldError("Content-Type", message)])


async def _product_id(product_id: Annotated[str, Path(description="24 hexadecimal digits")]) -> ObjectId:
    if known := parse_id(product_id):
        return known
    raise NotFound("there is no such product", [FieldError("id", "an id has 24 hexadecimal digits")])


async def _versions(if_match: Annotated[str | None, Header(description='an ETag, like "3"')] = None) -> set[int] | None:
    if if_match is None or if_match.strip() == "*":
        return None
    if not _TAGS.fullmatch(if_match.strip()):
        raise Invalid.field("If-Match", 'send the ETag that came with the product, like "3"')
    return {int(version) for version in _OUR_TAG.findall(if_match)}


class PageQuery(BaseModel):
    """What part of the catalogue to list."""

    model_config = ConfigDict(extra="forbid")

    category: Slug | None = None
    q: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=100),
        AfterValidator(lambda q: q and single_line(q)),
        Field(description="text that the name, the description or a tag contains, in any case"),
    ] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=100, description="`next_cursor` of the page before")] = None


Service = Annotated[ProductService, Depends(_service)]
Id = Annotated[ObjectId, Depends(_product_id)]
Key = Annotated[
    IdempotencyKey | None,
    Header(alias="Idempotency-Key", description="a retry with the same key and body returns the same product"),
]

reading = guarded_router(PRODUCTS_READ, prefix=PATH, tags=["products"])
writing = guarded_router(PRODUCTS_WRITE, prefix=PATH, tags=["products"])


@writing.post(
    "",
    status_code=201,
    response_model=Product,
    dependencies=[Depends(_require_json)],
    responses={200: {"model": Product}, 201: {"links": _LINKS}},
)
async def create(draft: ProductDraft, caller: Caller, service: Service, idempotency_key: Key = None) -> Response:
    """Create a product: 201, or 200 with the product that the same Idempotency-Key made before."""
    product, new = await service.create(draft, caller, idempotency_key)
    # Answered as it is: FastAPI would check once more what was made here.
    response = Response(product.model_dump_json(), 201 if new else 200, media_type="application/json")
    response.headers["Location"] = f"{PATH}/{product.id}"
    _tag(response, product)
    return response


@writing.post(
    "/batch",
    status_code=207,
    dependencies=[Depends(_require_json)],
    response_model_exclude_none=False,
)
async def create_batch(batch: Batch, caller: Caller, service: Service) -> BatchResults:
    """Create up to 1,000 products; each item has a result of its own."""
    return BatchResults(results=await service.create_many(batch.items, caller))


@reading.get("")
async def list_products(query: Annotated[PageQuery, Query()], service: Service) -> ProductPage:
    """List products, newest first. Pages are stable while products are being created."""
    return await service.page(limit=query.limit, cursor=query.cursor, category=query.category, q=query.q)


@reading.get("/{product_id}", name="read", responses={404: {}})
async def read(product_id: Id, response: Response, service: Service) -> Product:
    """Return one product with its ETag."""
    product = await service.read(product_id)
    _tag(response, product)
    return product


@writing.patch("/{product_id}", dependencies=[Depends(_require_json)], responses={404: {}, 412: {}})
async def patch(
    product_id: Id,
    changes: Annotated[dict[str, JsonValue], Body(examples=[{"price": "19.90", "stock": None}])],
    versions: Annotated[set[int] | None, Depends(_versions)],
    response: Response,
    service: Service,
) -> Product:
    """Change some fields (a merge patch, RFC 7396); 412 if `If-Match` names a version that is not the newest."""
    product = await service.patch(product_id, changes, versions)
    _tag(response, product)
    return product


@writing.delete("/{product_id}", status_code=204, responses={404: {}})
async def delete(product_id: Id, service: Service) -> None:
    """Remove a product."""
    await service.delete(product_id)


def _tag(response: Response, product: Product) -> None:
    response.headers["ETag"] = f'"{product.version}"'
