import inspect
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Header
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from api_service.browsers import SAFE_HEADERS
from api_service.errors import NotFound
from api_service.middleware import MAX_BODY_BYTES, BodyLimit
from shared.problems import CONTENT_TYPE, FieldError
from shared.serving.http.errors import HttpError, Invalid, TooManyRequests, Unavailable, add_error_handlers
from shared.serving.requests import Requests


class _Thing(BaseModel):
    query: int


def _name(cls: type[HttpError]) -> str:
    return cls.__name__


def _subclasses(cls: type[HttpError]) -> set[type[HttpError]]:
    return {cls}.union(*(_subclasses(each) for each in cls.__subclasses__()))


_OURS = {"api_service.errors", "shared.serving.http.errors"}
_ERRORS = sorted((each for each in _subclasses(HttpError) if each.__module__ in _OURS), key=_name)


def _made(error: type[HttpError]) -> HttpError:
    """Return one; not all are told of fields, some know them."""
    if "errors" in inspect.signature(error).parameters:
        return error("a detail", [FieldError("f", "wrong")])
    return error("a detail")


@pytest.fixture
def app() -> FastAPI:
    """An application with nothing but our error handling and calls that go wrong."""
    app = FastAPI()
    app.add_middleware(BodyLimit)
    app.add_middleware(Requests, binds_id=True)
    add_error_handlers(app, SAFE_HEADERS)

    @app.post("/things")
    async def make(thing: _Thing, x_number: Annotated[int, Header()] = 0) -> int:
        return thing.query + x_number

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("hunter2")

    @app.get("/errors/{name}")
    async def fail(name: str) -> None:
        raise _made({each.__name__: each for each in _ERRORS}[name])

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout", {"X-Handle": "yes"})

    return app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is answered with 500 where there is a bug, as a real one would be."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.mark.parametrize("error", _ERRORS)
async def test_every_error_of_ours_is_a_problem_document(http: httpx.AsyncClient, error: type[HttpError]) -> None:
    """Its status, its detail and the fields it names arrive as `application/problem+json`."""
    response = await http.get(f"/errors/{error.__name__}")

    assert (response.status_code, response.headers["Content-Type"]) == (error.status, CONTENT_TYPE)
    document = response.json()
    assert document["status"] == error.status
    assert document["detail"].endswith("a detail")
    if "errors" in inspect.signature(error).parameters:
        assert document["errors"] == [{"field": "f", "message": "wrong"}]


@pytest.mark.parametrize("error", _ERRORS)
async def test_only_what_is_away_for_a_while_is_worth_a_retry(http: httpx.AsyncClient, error: type[HttpError]) -> None:
    """`Retry-After` stands where trying again may help, and nowhere else."""
    response = await http.get(f"/errors/{error.__name__}")

    assert ("Retry-After" in response.headers) is issubclass(error, Unavailable | TooManyRequests)


async def test_a_fault_of_ours_tells_nothing_of_our_insides(http: httpx.AsyncClient) -> None:
    """A 500 is a problem document too, without the error's text."""
    response = await http.get("/bug")

    assert (response.status_code, response.headers["Content-Type"]) == (500, CONTENT_TYPE)
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/things", 405), ("GET", "/teapot", 418)]
)
async def test_the_frameworks_errors_are_problem_documents(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Also the answers that no code of ours makes."""
    response = await http.request(method, path)

    assert (response.status_code, response.headers["Content-Type"]) == (status, CONTENT_TYPE)
    assert response.json()["status"] == status


async def test_headers_of_an_error_are_kept(http: httpx.AsyncClient) -> None:
    """A 405 says what is allowed, and another error what it has to say."""
    assert (await http.delete("/things")).headers["Allow"] == "POST"
    assert (await http.get("/teapot")).headers["X-Handle"] == "yes"


async def test_a_field_is_named_as_the_caller_wrote_it(http: httpx.AsyncClient) -> None:
    """Without the part of the request, even if the field has the name of one."""
    response = await http.post("/things", json={"query": "x"}, headers={"X-Number": "y"})

    assert response.status_code == 422
    assert {error["field"] for error in response.json()["errors"]} == {"query", "x-number"}


@pytest.mark.parametrize("body", ["{", "", "nul", '{"query": 1,}', '{"query": 1} x', "'"])
async def test_broken_json_is_said_to_be_broken(http: httpx.AsyncClient, body: str) -> None:
    """The error stands at the body."""
    response = await http.post("/things", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code in {400, 422}
    assert [error["field"] for error in response.json()["errors"]] == ["body"]


@pytest.mark.parametrize("body", [b'{"query": "\xff"}', b'{"query": ' + b"9" * 5_000 + b"}", b"[" * 60_000])
async def test_what_no_reader_can_take_is_a_bad_request(http: httpx.AsyncClient, body: bytes) -> None:
    """Other encodings, numbers of thousands of digits, nesting without end: 400, with what to send instead."""
    response = await http.post("/things", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "body"


async def test_a_body_at_the_limit_is_read(http: httpx.AsyncClient) -> None:
    """The limit is the largest body that is allowed."""
    body = b'{"query": 1}'.ljust(MAX_BODY_BYTES)

    response = await http.post("/things", content=body, headers={"Content-Type": "application/json"})

    assert response.status_code == 200


async def test_a_body_over_the_limit_is_not_read(http: httpx.AsyncClient) -> None:
    """What declares its size is refused by that."""
    response = await http.post("/things", content=b" " * (MAX_BODY_BYTES + 1))

    assert response.status_code == 413
    assert response.json()["errors"] == [{"field": "body", "message": f"at most {MAX_BODY_BYTES} bytes"}]


async def test_a_stream_is_cut_off_where_it_becomes_too_large(http: httpx.AsyncClient) -> None:
    """What does not declare its size is read up to the limit and no further."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1024
            yield b" " * 1024

    response = await http.post("/things", content=endless(), headers={"Content-Type": "application/json"})

    assert response.status_code == 413
    assert read <= MAX_BODY_BYTES + 1024


async def test_middleware_lets_other_protocols_through() -> None:
    """A websocket has no body and no status."""
    seen = []

    async def inner(scope: object, receive: object, send: object) -> None:
        seen.append((scope, receive, send))

    async def receive() -> dict[str, str]: ...  # type: ignore[empty-body]  # never called

    async def send(_message: object) -> None: ...

    for middleware in (BodyLimit(inner), Requests(inner, binds_id=True)):
        await middleware({"type": "websocket"}, receive, send)

    assert seen == [({"type": "websocket"}, receive, send)] * 2


def test_a_field_can_be_refused_by_name() -> None:
    """The detail reads well without the list of fields."""
    error = Invalid.field("limit", "too large")

    assert error.problem()["detail"] == "limit: too large"
    assert NotFound("no such thing").problem()["status"] == 404
