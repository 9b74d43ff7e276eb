import gzip
import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.problems import CONTENT_TYPE
from tests.integration.drafts import DRAFT, create

# The driver's threads and the feed draw random numbers while hypothesis makes examples; it takes that for our doing.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

JSON = {"Content-Type": "application/json"}
ID = "0123456789abcdef01234567"

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=10,
)
_NO_OBJECTS = [
    *[(body, 400) for body in (b"{", b"[1,", b"nope", b"{'name': 'x'}", b'{"name": "\xff\xfe", "price": "1"}')],
    *[(body, 400) for body in (b"\0", b'{"name": "a\0b", "price": "1"}', b"\x1f\x8b\x08", b"name=x&price=1")],
    *[(body, 400) for body in (b"[" * 60_000, b'{"a":' * 10_000, b'{"stock":' + b"9" * 5_000 + b"}")],
    *[(body, 422) for body in (b"", b"null", b"[]", b'"x"', b"1", b"NaN", b"true", b'{"\\ud800": 1}')],
    (b'{"name": ' + b"[" * 300 + b"]" * 300 + b', "price": "1"}', 422),
]
_PATCHABLE = ["name", "description", "price", "currency", "category", "tags", "stock", "version", "id", "$set", "query"]
# One and the same API has to survive all examples, at whatever pace a busy machine makes them.
_many = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


def _each(field: str, values: Iterable[Any]) -> list[tuple[dict[str, Any], str]]:
    return [({field: value}, field) for value in values]


def _fields(response: httpx.Response, status: int) -> list[str]:
    assert (response.status_code, response.headers["Content-Type"]) == (status, CONTENT_TYPE), response.text
    document = response.json()
    assert document["status"] == status
    assert document["detail"]
    return [error["field"] for error in document["errors"]]


async def _stored(api: httpx.AsyncClient) -> list[Any]:
    items: list[Any] = (await api.get("/products")).json()["items"]
    return items


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        *_each("price", ("1e400", "NaN", "-1", "0.001", "Infinity", "", " ", "12,50", "٣")),
        *_each("price", (12.5, 12, -1, True, None, [], {}, ["1"], {"$numberDecimal": "1"})),
        *_each("name", (None, "", " ", "\0", "a\0b", "a\nb", "x" * 201, 5, {"$ne": None})),
        *_each("description", ("\0", "x" * 5_001, None, 5, "\ud800")),
        *_each("tags", (None, "a", {}, ["a"] * 21)),
        *[({"tags": [tag]}, "tags.0") for tag in (None, "", "\0", "x" * 51, 1)],
        *_each("stock", (-1, 1.5, 1.0, "1", True, 10**10, 10**4_000, {"$inc": 1})),
        *_each("currency", ("usd", "XXX", "US", "\0", None, 840)),
        *_each("category", ("A B", "", "\0", "a\n", "../x", None, {"$gt": ""})),
        *[({name: "x"}, name) for name in ("id", "_id", "version", "created_at", "idempotency", "$where", "a.b")],
    ],
)
async def test_a_field_that_breaks_its_rule(shared_api: httpx.AsyncClient, fields: dict[str, Any], field: str) -> None:
    """422 that names the very field; nothing is stored."""
    response = await shared_api.post("/products", content=json.dumps({**DRAFT, **fields}), headers=JSON)

    assert _fields(response, 422) == [field]
    assert await _stored(shared_api) == []


@pytest.mark.parametrize("field", ["name", "price"])
async def test_a_field_that_is_missing(shared_api: httpx.AsyncClient, field: str) -> None:
    """Only two are required, and each is named."""
    response = await shared_api.post("/products", json={name: DRAFT[name] for name in DRAFT if name != field})

    assert _fields(response, 422) == [field]


async def test_everything_that_is_wrong_is_named_at_once(shared_api: httpx.AsyncClient) -> None:
    """A caller puts all of it right in one go."""
    response = await shared_api.post("/products", json={"name": "", "price": "x", "stock": -1, "colour": "red"})

    assert sorted(_fields(response, 422)) == ["colour", "name", "price", "stock"]


@pytest.mark.parametrize(("body", "status"), _NO_OBJECTS)
@pytest.mark.parametrize("path", ["/products", "/products/batch"])
async def test_a_body_that_is_no_object(shared_api: httpx.AsyncClient, path: str, body: bytes, status: int) -> None:
    """Broken JSON, other encodings, other types, endless nesting: 4xx, and nothing is stored."""
    response = await shared_api.post(path, content=body, headers=JSON)

    assert _fields(response, status)
    assert await _stored(shared_api) == []


@pytest.mark.parametrize(("body", "status"), _NO_OBJECTS)
async def test_a_patch_that_is_no_object(api: httpx.AsyncClient, body: bytes, status: int) -> None:
    """As strict as a create, and nothing is changed."""
    product = await create(api)
    path = f"/products/{product['id']}"

    response = await api.patch(path, content=body, headers=JSON)

    assert _fields(response, status)
    assert (await api.get(path)).json() == product


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "json"],
)
async def test_a_body_that_is_not_declared_as_json(
    shared_api: httpx.AsyncClient, method: str, content_type: str | None
) -> None:
    """415 that says what to send, whatever is in the body."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    path = "/products" if method == "POST" else f"/products/{ID}"

    response = await shared_api.request(method, path, content=json.dumps(DRAFT).encode(), headers=headers)

    assert _fields(response, 415) == ["Content-Type"]
    assert await _stored(shared_api) == []


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_a_body_that_is_declared_as_json(api: httpx.AsyncClient, content_type: str) -> None:
    """In any case, and with parameters."""
    response = await api.post("/products", content=json.dumps(DRAFT), headers={"Content-Type": content_type})

    assert response.status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity, gzip", "br"])
@pytest.mark.parametrize("path", ["/products", "/products/batch", "/messages"])
async def test_a_body_that_is_compressed(shared_api: httpx.AsyncClient, path: str, encoding: str) -> None:
    """415 that says how to send it, before anything is unpacked: a few bytes could be any number."""
    headers = {**JSON, "Content-Encoding": encoding}

    response = await shared_api.post(path, content=gzip.compress(json.dumps(DRAFT).encode()), headers=headers)

    assert _fields(response, 415) == ["Content-Encoding"]
    assert response.headers["Accept-Encoding"] == "identity"
    assert await _stored(shared_api) == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/products"), ("PATCH", f"/products/{ID}")])
async def test_a_body_of_a_mebibyte(shared_api: httpx.AsyncClient, method: str, path: str) -> None:
    """413, whether it is otherwise right or not."""
    body = json.dumps({**DRAFT, "description": "x" * 1024 * 1024})

    response = await shared_api.request(method, path, content=body, headers=JSON)

    assert _fields(response, 413) == ["body"]
    assert await _stored(shared_api) == []


@pytest.mark.parametrize(
    "product_id", ["x", "1", ID[:-1], f"{ID}0", ID.upper(), "%00", "%ff", "%2e%2e", "$where", "batch", "{}", "٣" * 24]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_id_that_is_none(shared_api: httpx.AsyncClient, method: str, product_id: str) -> None:
    """404 that says what an id looks like."""
    content = "{}" if method == "PATCH" else None

    response = await shared_api.request(method, f"/products/{product_id}", content=content, headers=JSON)

    assert _fields(response, 404) == ["id"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_id_of_nothing(shared_api: httpx.AsyncClient, method: str) -> None:
    """404 that names it."""
    response = await shared_api.request(
        method, f"/products/{ID}", content="{}" if method == "PATCH" else None, headers=JSON
    )

    assert _fields(response, 404) == ["id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *[
            (f"limit={limit}", "limit")
            for limit in ("0", "-1", "201", "1000000000", "9" * 5_000, "x", "", "1.5", "NaN")
        ],
        *[(f"cursor={cursor}", "cursor") for cursor in ("x", ID, f"{ID}000000000000", "%00", "%ff", "a" * 101)],
        *[(f"category={category}", "category") for category in ("", "A", "a%00", "a%0A", "%ff", "a" * 65, "$ne")],
        *[(f"q={q}", "q") for q in ("", "%00", "a%0Ab", "a" * 101)],
        *[("category[$ne]=x", "category[$ne]"), ("q[$regex]=.*", "q[$regex]"), ("page=2", "page")],
    ],
)
async def test_a_query_that_breaks_its_rule(shared_api: httpx.AsyncClient, query: str, field: str) -> None:
    """Limits, filters and cursors are held to their rules, and unknown parameters are refused."""
    assert _fields(await shared_api.get(f"/products?{query}"), 422) == [field]


async def test_an_undecodable_search_finds_nothing(shared_api: httpx.AsyncClient) -> None:
    """Bytes that are no UTF-8 are replaced, as browsers do."""
    assert (await shared_api.get("/products?q=%ff%fe")).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *[("GET", path, 404) for path in ("/nowhere", "/products/", f"/products/{ID}/", "/%00")],
        *[(method, "/products", 405) for method in ("PUT", "PATCH", "DELETE", "TRACE", "NONSENSE")],
        *[(method, f"/products/{ID}", 405) for method in ("PUT", "POST")],
    ],
)
async def test_a_call_that_does_not_exist(shared_api: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """A problem document like any other; a slash too many is not followed."""
    response = await shared_api.request(method, path)

    assert (response.status_code, response.headers["Content-Type"]) == (status, CONTENT_TYPE)


@_many
@given(body=_ANYTHING)
async def test_any_json_is_answered(shared_api: httpx.AsyncClient, body: Any) -> None:
    """Whatever is sent as a product or as a batch: 4xx, since none of it has a name and a price."""
    content = json.dumps(body).encode()
    single = await shared_api.post("/products", content=content, headers=JSON)
    batch = await shared_api.post("/products/batch", content=content, headers=JSON)
    as_item = await shared_api.post("/products/batch", content=b'{"items": [%s]}' % content, headers=JSON)

    assert single.status_code in {400, 422}
    assert batch.status_code in {400, 422}
    assert as_item.status_code in {400, 422} or [each["status"] for each in as_item.json()["results"]] == [422]
    assert await _stored(shared_api) == []


@_many
@given(body=st.binary(max_size=200))
async def test_any_bytes_are_answered(shared_api: httpx.AsyncClient, body: bytes) -> None:
    """Also those that are no JSON at all."""
    response = await shared_api.post("/products", content=body, headers=JSON)

    assert _fields(response, response.status_code)
    assert response.status_code in {400, 422}


@_many
@given(name=st.sampled_from(["name", "description", "price", "category", "tags", "stock", "currency"]), value=_ANYTHING)
async def test_any_value_of_a_field_is_answered(api: httpx.AsyncClient, name: str, value: Any) -> None:
    """Either it is stored, and can then be read and listed as it was answered, or the field is named."""
    response = await api.post("/products", content=json.dumps({**DRAFT, name: value}), headers=JSON)

    if response.status_code == 201:
        product = response.json()
        assert (await api.get(f"/products/{product['id']}")).json() == product
        assert (await api.get("/products?limit=1")).json()["items"][0]["id"] == product["id"]
    else:
        assert {field.partition(".")[0] for field in _fields(response, 422)} == {name}


@_many
@given(patch=st.dictionaries(st.sampled_from(_PATCHABLE) | st.text(st.characters()), _ANYTHING, max_size=3))
async def test_any_patch_is_answered(shared_api: httpx.AsyncClient, patch: dict[str, Any]) -> None:
    """The product is one before and after: it is patched, or the patch is refused and nothing has changed."""
    product = await create(shared_api)
    path = f"/products/{product['id']}"

    response = await shared_api.patch(path, content=json.dumps(patch), headers=JSON)

    after = (await shared_api.get(path)).json()
    await shared_api.delete(path)
    if response.status_code == 200:
        assert after == response.json()
    else:
        assert _fields(response, 422)
        assert after == product


@_many
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "category", "q"]) | st.text(min_size=1), st.text(), max_size=3
    )
)
async def test_any_query_is_answered(shared_api: httpx.AsyncClient, query: dict[str, str]) -> None:
    """A page, or a problem that names a parameter."""
    response = await shared_api.get("/products", params=query)

    if response.status_code != 200:
        assert set(_fields(response, 422)) <= set(query)


@_many
@given(
    headers=st.dictionaries(
        st.sampled_from([b"Idempotency-Key", b"If-Match", b"Content-Length", b"X-Forwarded-For"]),
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")).map(lambda text: text.encode("latin-1")),
    )
)
async def test_any_header_is_answered(shared_api: httpx.AsyncClient, headers: dict[bytes, bytes]) -> None:
    """Also those that are sent with a body that is wrong."""
    created = await shared_api.post(
        "/products", content=b"{}", headers={b"Content-Type": b"application/json", **headers}
    )
    patched = await shared_api.patch(f"/products/{ID}", json={}, headers=headers)

    assert created.status_code in {400, 413, 422}
    assert patched.status_code in {400, 404, 413, 422}
