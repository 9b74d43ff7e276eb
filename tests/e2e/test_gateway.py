"""One origin: what a stranger can reach through the gateway, and what not."""

import asyncio
import http.client
import json
from http import HTTPStatus
from typing import NamedTuple

import pytest

from tests.listening import Listener
from tests.system import System
from tests.waiting import eventually

KIB = 1024
PROBLEM = "application/problem+json"


class Answer(NamedTuple):
    """What came back for a request whose path was sent as it stands."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


async def request(origin: str, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
    """Send a request whose path no client library has tidied up."""

    def send() -> Answer:
        connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(send)


# The emitter's internal calls, and ways to write their paths that one side of a gateway may understand differently.
DISGUISES = [
    "{}",
    "/{}",
    "/.{}",
    "/websocket-service{}",
    "/websocket-service/..{}",
    "/websocket-service/../..{}",
    "/websocket-service/.{}",
    "/websocket-service//..{}",
    "/websocket-service/%2e%2e{}",
    "/websocket-service/..%2f.{}",
    "/websocket-service%2f..{}",
    "/websocket-service/..;{}",
    "/websocket-service/..%5c{}",
    "/websocket-service/..%00{}",
    "//websocket-service/..{}",
    "/%77ebsocket-service/..{}",
]


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("encode", [False, True], ids=["plain", "encoded"])
async def test_no_stranger_can_push(storecast: System, disguise: str, *, encode: bool) -> None:
    """`POST /emit` of the emitter is out of reach through the gateway, even with the right secret."""
    path = disguise.format("/%65mit" if encode else "/emit")
    message = json.dumps({"event": "breach", "payload": path})
    headers = {"Authorization": f"Bearer {storecast.secret}", "Content-Type": "application/json"}

    answer = await request(storecast.url, "POST", path, message, **headers)

    assert HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"reached" not in answer.body


async def test_the_emitter_takes_the_same_push_directly(storecast: System) -> None:
    """Beside the gateway the same call reaches every client: what the other tests see refused is a real call."""
    async with Listener(storecast.url) as listener:
        answer = await request(
            storecast.emitter_url,
            *("POST", "/emit", json.dumps({"event": "hello", "payload": "all"})),
            **{"Authorization": f"Bearer {storecast.secret}", "Content-Type": "application/json"},
        )
        assert answer.status == HTTPStatus.OK
        assert json.loads(answer.body)["reached"] >= 1
        assert await listener.client.received("hello") == ["all"]


@pytest.mark.parametrize("disguise", DISGUISES)
async def test_no_stranger_can_read_or_write_the_log_of_the_emitter(storecast: System, disguise: str) -> None:
    """The emitter's position and its event intake are out of reach through the gateway."""
    headers = {"Authorization": f"Bearer {storecast.secret}", "Content-Type": "application/json"}

    position = await request(storecast.url, "GET", disguise.format("/events/position"), **headers)
    posted = await request(storecast.url, "POST", disguise.format("/events"), '{"epoch": "e", "events": []}', **headers)

    for answer in (position, posted):
        assert HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
        assert b'"position"' not in answer.body


async def test_a_path_that_only_begins_like_the_sockets_is_the_apis(storecast: System) -> None:
    """`/websocket-serviceX` is not the socket path: the API answers that there is no such thing."""
    for path in ("/websocket-serviceX", "/websocket-service.json", "/socket.io/"):
        answer = await request(storecast.url, "GET", path)

        assert answer.status == HTTPStatus.NOT_FOUND
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.headers["X-Served-By"] in storecast.api_urls


@pytest.mark.parametrize("path", ["/websocket-service", "/websocket-service/"])
async def test_the_socket_path_is_the_emitters(storecast: System, path: str) -> None:
    """The socket path opens an Engine.IO session, with a slash at its end and without one."""
    answer = await request(storecast.url, "GET", f"{path}?EIO=4&transport=polling")

    assert answer.status == HTTPStatus.OK
    assert answer.body.startswith(b'0{"sid":')


def product_of(size: int) -> str:
    """Return a product as JSON of exactly so many bytes, filled up with white space."""
    product = json.dumps({"name": "large", "price": "1.00"})
    return product + " " * (size - len(product))


@pytest.mark.parametrize(
    ("size", "status"),
    [
        (64 * KIB, HTTPStatus.CREATED),
        (64 * KIB + 1, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (KIB * KIB, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
async def test_a_body_has_at_most_64_kib(storecast: System, size: int, status: HTTPStatus) -> None:
    """A body of 64 KiB is taken; one byte more is refused with a problem that says so."""
    answer = await storecast.http.post(
        "/products", content=product_of(size), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == status
    if status != HTTPStatus.CREATED:
        assert answer.headers["Content-Type"] == PROBLEM
        assert "64 KiB" in answer.json()["detail"]


@pytest.mark.parametrize(("size", "too_large"), [(65 * KIB, False), (8 * KIB * KIB, False), (8 * KIB * KIB + 1, True)])
async def test_a_batch_has_at_most_8_mib(storecast: System, size: int, *, too_large: bool) -> None:
    """A batch may be larger than a product: 8 MiB are taken, one byte more is not."""
    answer = await storecast.http.post(
        "/products/batch", content="[]" + " " * (size - 2), headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE) is too_large


async def test_a_dead_replica_is_passed_over(storecast: System) -> None:
    """A replica that died costs no request: the others answer for it."""
    leader = await storecast.leader()
    victim = next(name for name in storecast.api_urls if name != leader)
    await storecast.kill(victim)

    answers = [await storecast.http.get("/products") for _ in range(30)]

    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    assert {answer.headers["X-Served-By"] for answer in answers} == storecast.api_urls.keys() - {victim}


async def test_a_replica_that_has_come_back_is_asked_at_once(storecast: System) -> None:
    """After all were down, the first one that can be reached answers: nothing is held against it."""
    name, *others = storecast.api_urls
    for each in (name, *others):
        await storecast.kill(each)
    assert (await storecast.http.get("/products")).status_code == HTTPStatus.BAD_GATEWAY
    storecast.start(name)

    async def listens() -> bool:
        # Tried in vain through the gateway until right before it listens.
        through_gateway = (await storecast.http.get("/products")).status_code
        try:
            _, writer = await asyncio.open_connection(*storecast.api_urls[name].removeprefix("http://").split(":"))
        except OSError:
            assert through_gateway == HTTPStatus.BAD_GATEWAY
            return False
        writer.close()
        return True

    await eventually(listens, message=f"{name} listens")
    answers = [await storecast.http.get("/products") for _ in range(10)]

    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    assert {answer.headers["X-Served-By"] for answer in answers} == {name}
