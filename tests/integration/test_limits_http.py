"""The bounds of HTTP, which both services have: what is too large, too slow or too much ends, with a word why."""

import asyncio
import contextlib
from typing import Any

import pytest

from shared.serving.http.protocol import MAX_HEAD_BYTES, MAX_HEADERS, MAX_UNWANTED_BYTES, MAX_URL_BYTES
from tests.integration.http_server import Answer, serving
from tests.limits import limited
from tests.waiting import eventually

GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = "POST / HTTP/1.1\r\nHost: x\r\n"
PROBLEM = "application/problem+json"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with what was sent; `/early` does not wait for it, `/hang` never answers, `/large` answers with much."""
    path = scope["path"]
    body = b"" if path != "/large" else b"x" * 8 * 1024 * 1024
    while path not in {"/early", "/large"}:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"] and path != "/hang":
            break
    headers = [(b"content-length", b"%d" % len(body)), (b"x-headers", b"%d" % len(scope["headers"]))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def assert_problem(answer: Answer, status: int) -> None:
    assert (answer.status, answer.headers["content-type"], answer.headers["connection"]) == (status, PROBLEM, "close")
    assert answer.document["status"] == status
    assert answer.document["detail"]


# How large a request is.


async def test_a_url_has_so_many_bytes() -> None:
    """414 beyond, and what is just not too long is taken."""
    before = limited("head")
    async with serving(app) as server:
        async with server.wire() as wire:
            wire.send(f"GET /{'x' * (MAX_URL_BYTES - 1)} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await wire.answer()).status == 200
        for size in (MAX_URL_BYTES, 2**16, 2**16 + 2**12):
            async with server.wire() as wire:
                wire.send(f"GET /{'x' * size} HTTP/1.1\r\nHost: x\r\n\r\n")
                assert_problem(await wire.answer(), 414)
                assert await wire.ended() == b""
    assert limited("head") == before + 3


@pytest.mark.parametrize(
    ("fields", "size", "status"),
    [(MAX_HEADERS, 10, 200), (MAX_HEADERS + 1, 10, 431), (90, 600, 200), (90, MAX_HEAD_BYTES // 89, 431)],
)
async def test_a_head_has_so_many_fields_and_bytes(fields: int, size: int, status: int) -> None:
    """431 beyond either; nothing of such a request reaches the application."""
    before = limited("head")
    async with serving(app) as server, server.wire() as wire:
        wire.send("GET / HTTP/1.1\r\nHost: x\r\n" + "".join(f"X: {'x' * size}\r\n" for _ in range(fields - 1)) + "\r\n")
        answer = await wire.answer()
    assert answer.status == status
    if status == 200:
        assert answer.headers["x-headers"] == str(fields)
    else:
        assert_problem(answer, status)
        assert limited("head") == before + 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nhOST: x\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
    ],
    ids=["two", "twice the same", "two of HTTP/1.0", "none", "empty", "none of HTTP/1.0"],
)
async def test_a_request_names_one_host(head: str, status: int) -> None:
    """400 for two, or none (RFC 9112, section 3.2): a proxy could go by one and the application by the other."""
    async with serving(app) as server, server.wire() as wire:
        wire.send(head)
        answer = await wire.answer()
    assert answer.status == status
    if status == 400:
        assert_problem(answer, 400)


@pytest.mark.parametrize(
    ("begin", "go_on"),
    [
        ("GET / HTTP/1.1\r\nX: ", "x" * 10_000),
        ("GET /", "x" * 10_000),
        ("GET / HTTP/1.1\r\n", f"X: {'x' * 1_000}\r\n" * 10),
        ("", "\r\n" * 5_000),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", "X: x\r\n" * 2_000),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ", "x" * 10_000),
        (f"{POST}Transfer-Encoding: chunked\r\n\r\n1;", "x" * 10_000),
    ],
    ids=["a field", "a URL", "fields", "empty lines", "trailers", "a trailer", "a chunk's extension"],
)
async def test_what_has_no_end_and_is_no_body_is_cut_off(begin: str, go_on: str) -> None:
    """Nothing of it is kept, or read for long."""
    before = limited("head")
    async with serving(app) as server, server.wire() as wire:
        wire.send(begin)
        ended = asyncio.create_task(wire.ended())
        for _ in range(1_000):
            if ended.done():
                break
            wire.send(go_on)
            with contextlib.suppress(ConnectionError):
                await wire.writer.drain()
            await asyncio.sleep(0)
        said = await ended
    assert limited("head") == before + 1
    assert said == b"" or said.startswith(b"HTTP/1.1 431 ")


async def test_what_comes_behind_a_body_is_no_header() -> None:
    """Nobody slips in a header that was not there when the request was looked at (RFC 9110, section 6.5.1)."""
    seen: list[Any] = []

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        seen.extend(scope["headers"])

    async with serving(looking) as server, server.wire() as wire:
        wire.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAuthorization: me\r\n\r\n")
        assert (await wire.answer()).body == b"x"
        await eventually(lambda: seen, message="the application has answered")
    assert [name for name, _ in seen] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(("megabytes", "is_cut_off"), [(1, False), (40, True)])
async def test_a_body_that_was_refused_is_not_read_for_long(megabytes: int, *, is_cut_off: bool) -> None:
    """Who sends on can read the answer; who sends on and on is cut off."""
    assert MAX_UNWANTED_BYTES < 40 * 1024 * 1024
    async with serving(app) as server, server.wire() as wire:
        wire.send(f"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: {megabytes * 1024 * 1024}\r\n\r\n")
        assert (await wire.answer()).status == 200
        with contextlib.suppress(ConnectionError):
            for _ in range(megabytes):
                wire.send(b"x" * 1024 * 1024)
                await wire.writer.drain()
        if is_cut_off:
            assert await wire.ended() == b""
        else:
            wire.send(GET)
            assert (await wire.answer()).status == 200


# How long a request takes.


@pytest.mark.parametrize(
    "begin",
    [
        "GET /",
        "GET / HTTP/1.1\r\n",
        f"{GET}GET /",
        f"{POST}Content-Length: 9999\r\n\r\n{{",
        f"{POST}Transfer-Encoding: chunked\r\n\r\nffff\r\n",
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
)
async def test_a_request_that_does_not_come_to_an_end_is_given_up(begin: str) -> None:
    """408 within the time that there is for all of it, however little by little it comes."""
    before = limited("request_time")
    async with serving(app, request_s=0.3) as server, server.wire() as wire:
        wire.send(begin)
        if begin.startswith(GET):
            assert (await wire.answer()).status == 200
        begun = asyncio.get_running_loop().time()
        answered = asyncio.create_task(wire.answer())
        while not answered.done():
            wire.send("x")
            await asyncio.sleep(0.02)
        assert_problem(await answered, 408)
        assert asyncio.get_running_loop().time() - begun < 2
        assert await wire.ended() == b""
    assert limited("request_time") == before + 1


async def test_who_asks_for_nothing_is_let_go_without_a_word() -> None:
    """A browser opens connections ahead, and would take an answer for one to its next request."""
    before = limited("request_time")
    async with serving(app, request_s=0.2) as server, server.wire() as wire:
        assert await wire.ended() == b""
    assert limited("request_time") == before


async def test_who_does_not_read_its_answer_is_cut_off() -> None:
    """What waits for it is memory."""
    before = limited("request_time")
    async with serving(app, request_s=0.3) as server, server.wire() as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of what streams are made of
        wire.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: limited("request_time") == before + 1, message="it is cut off")


async def test_an_answer_that_takes_its_time_is_not_cut_off() -> None:
    """The time is the client's to send and to read, and not the application's."""
    answers = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await answers.wait()
        await app(scope, receive, send)

    async with serving(slow, request_s=0.1) as server, server.wire() as wire:
        wire.send(GET)
        await asyncio.sleep(0.5)
        answers.set()
        assert (await wire.answer()).status == 200


# How many connections there are.


async def test_the_one_that_has_waited_longest_makes_room() -> None:
    """Whoever opens connections and asks for nothing takes nobody's place."""
    before = limited("http_connections")
    async with serving(app, most=3) as server, contextlib.AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(server.wire()) for _ in range(2)]
        half = await stack.enter_async_context(server.wire())
        half.send("GET / HT")
        for _ in range(2):
            # One after the other; each stays open, and asks again before it could be taken for idle.
            wire = await stack.enter_async_context(server.wire())
            wire.send(GET)
            assert (await wire.answer()).status == 200
        assert [await wire.ended() for wire in idle] == [b"", b""]
        wire = await stack.enter_async_context(server.wire())
        wire.send(GET)
        assert (await wire.answer()).status == 200
        assert_problem(await half.answer(), 408)
    assert limited("http_connections") == before + 3


async def test_where_nobody_waits_a_new_one_is_told_to_come_again() -> None:
    """503 with `Retry-After`; and whoever ends makes room."""
    before = limited("http_connections")
    async with serving(app, most=2) as server, contextlib.AsyncExitStack() as stack:
        busy = []
        for _ in range(2):
            busy.append(await stack.enter_async_context(server.wire()))
            busy[-1].send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        async with server.wire() as wire:
            wire.send(GET)
            answer = await wire.answer()
            assert_problem(answer, 503)
            assert answer.headers["retry-after"] == "1"
            assert await wire.ended() == b""
        busy[0].writer.transport.abort()
        await asyncio.sleep(0.1)
        async with server.wire() as wire:
            wire.send(GET)
            assert (await wire.answer()).status == 200
    assert limited("http_connections") == before + 1


async def test_connections_that_only_keep_alive_make_room_first() -> None:
    """They have had their answer."""
    async with serving(app, most=2) as server, server.wire() as idle, server.wire() as busy:
        idle.send(GET)
        assert (await idle.answer()).status == 200
        busy.send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        async with server.wire() as wire:
            wire.send(GET)
            assert (await wire.answer()).status == 200
            assert await idle.ended() == b""


# What is no request, or none of ours.


@pytest.mark.parametrize("nonsense", ["\x16\x03\x01\x02\x00", "NONSENSE\r\n\r\n", "GET http://h HTTP/1.1\r\n\r\n"])
async def test_what_is_no_request_is_refused(nonsense: str) -> None:
    """400, and nobody else is harmed."""
    async with serving(app) as server, server.wire() as wire:
        wire.send(nonsense)
        assert_problem(await wire.answer(), 400)
        assert await wire.ended() == b""


async def test_another_protocol_is_not_spoken() -> None:
    """Who asks to change to one is answered as if it had not, and what it says next is not read."""
    async with serving(app) as server, server.wire() as wire:
        wire.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00")
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await wire.ended() == b""


async def test_many_requests_at_once_are_answered_in_order() -> None:
    """Also those that came before an answer to the one ahead."""
    async with serving(app) as server, server.wire() as wire:
        for number in range(50):
            wire.send(f"{POST}Content-Length: 2\r\n\r\n{number:02}")
        assert [(await wire.answer()).body for _ in range(50)] == [b"%02d" % number for number in range(50)]
