"""`storecast tail` and an emitter that does everything that the real one rarely does."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from deploy.cli.errors import CommandError, Refused, Unavailable
from deploy.cli.tail import stream
from deploy.cli.tail.place import Place
from deploy.cli.tail.run import Tail
from shared.problems import FieldError, problem
from tests.waiting import eventually

Script = Callable[[ServerConnection], Awaitable[None]]
Refusal = tuple[int, dict[str, str], Mapping[str, Any]]


def welcome(position: str, *, recovered: bool = True) -> str:
    payload = {"node": "e", "position": position, "recovered": recovered, "replayed": 0}
    return json.dumps({"event": "welcome", "payload": payload, "meta": {}})


def numbered(seq: int, event: str = "new_product") -> str:
    return json.dumps({"event": event, "payload": {"name": str(seq)}, "meta": {"seq": seq}, "offset": f"e1:{seq}"})


def message(event: str, **payload: Any) -> str:
    return json.dumps({"event": event, "payload": payload, "meta": {}})


def saying(*messages: str, stays: bool = False) -> Script:
    """Say something, and cut the connection; or stay."""

    async def script(websocket: ServerConnection) -> None:
        for each in messages:
            await websocket.send(each)
        if stays:
            await websocket.wait_closed()
        websocket.transport.close()

    return script


class Emitter:
    """Follows a script: at each connection the next refusal, or the next thing to say."""

    def __init__(self, *steps: Refusal | Script) -> None:
        self.steps = list(steps)
        self.asked: list[dict[str, list[str]]] = []
        self.headers: list[Headers] = []
        self.paths: list[str] = []
        self.page: dict[str, str] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve; yield the origin."""
        async with serve(self._talk, "127.0.0.1", 0, process_request=self._admit, compression=None) as server:
            yield f"http://127.0.0.1:{_port(server)}"

    def _admit(self, websocket: ServerConnection, request: Request) -> Response | None:
        if request.path == "/config.json":
            return websocket.respond(HTTPStatus.OK if self.page else HTTPStatus.NOT_FOUND, json.dumps(self.page))
        self.paths.append(urlsplit(request.path).path)
        self.asked.append(parse_qs(urlsplit(request.path).query))
        self.headers.append(request.headers)
        if not isinstance(self.steps[0], tuple):
            return None
        status, headers, body = self.steps.pop(0)  # type: ignore[misc]  # a refusal, as was asked above
        return Response(status, HTTPStatus(status).phrase, Headers(headers), json.dumps(body).encode())

    async def _talk(self, websocket: ServerConnection) -> None:
        script = self.steps.pop(0)
        assert not isinstance(script, tuple)
        await script(websocket)


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


class Run:
    """What a tail told, and noted."""

    def __init__(self, after: str | None) -> None:
        self.told: list[dict[str, Any]] = []
        self._notes = io.StringIO()
        self.tail = Tail(Place(after), self.told.append, Console(file=self._notes, width=1_000))

    @property
    def notes(self) -> list[str]:
        """What a person reads beside the events."""
        return self._notes.getvalue().splitlines()

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events that were told."""
        return [each["meta"]["seq"] for each in self.told if each["meta"]]


@asynccontextmanager
async def listening(
    emitter: Emitter, after: str | None = None, topics: Sequence[str] = (), token: str | None = None
) -> AsyncIterator[tuple[Run, asyncio.Task[None]]]:
    run = Run(after)
    async with emitter.running() as origin:
        task = asyncio.create_task(run.tail.run(origin, topics, token))
        try:
            yield run, task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, CommandError):
                await task


async def refused(emitter: Emitter, token: str | None = None) -> CommandError:
    async with listening(emitter, token=token) as (_, task):
        with pytest.raises(CommandError) as ended:
            await asyncio.wait_for(task, 30)
    return ended.value


async def test_a_lost_connection_is_made_again_after_the_last_event() -> None:
    """Nothing is missed, nothing comes twice; how it goes is said once."""
    emitter = Emitter(
        saying(welcome("e1:2", recovered=False), numbered(3), numbered(4)),
        saying(),
        saying(welcome("e1:6"), numbered(4), numbered(5), numbered(6), stays=True),
    )
    async with listening(emitter) as (run, _):
        await eventually(lambda: run.seqs[-1:] == [6], message="all is heard")
        assert run.seqs == [3, 4, 5, 6]
        assert emitter.asked == [{}, {"after": ["e1:4"]}, {"after": ["e1:4"]}]
        [begun, lost, again] = run.notes
    assert begun == "storecast: listening, after e1:2"
    assert lost.startswith("storecast: the connection was lost: ")
    assert again == "storecast: listening, after e1:4"


async def test_nothing_is_missed_before_the_first_event() -> None:
    """A connection that is lost before anything was heard goes on from where it began."""
    emitter = Emitter(saying(welcome("e1:2", recovered=False)), saying(welcome("e1:3"), numbered(3), stays=True))
    async with listening(emitter) as (run, _):
        await eventually(lambda: run.seqs == [3], message="it is heard")
    assert emitter.asked[1] == {"after": ["e1:2"]}


async def test_what_was_missed_is_said() -> None:
    """It is between two offsets, and cannot be told any more: somebody has to read the products."""
    emitter = Emitter(saying(welcome("e2:9", recovered=False), numbered(3, "resync"), stays=True))
    async with listening(emitter, after="e1:2") as (run, _):
        await eventually(lambda: run.told, message="the resync is heard")
        assert run.notes[0] == "storecast: events between e1:2 and e2:9 were missed: read the products anew"
        assert "read the products anew" in run.notes[2]


async def test_it_says_who_it_is_where_no_log_has_it() -> None:
    """The topics stand in the URL, the token does not."""
    emitter = Emitter(saying(welcome("e1:2"), stays=True))
    async with listening(emitter, "e1:1", ["category:books", "product:7"], "to.ke.n") as (run, _):
        await eventually(lambda: run.notes, message="it listens")
    assert emitter.asked == [{"topics": ["category:books,product:7"], "after": ["e1:1"]}]
    assert emitter.headers[0]["Authorization"] == "Bearer to.ke.n"
    assert emitter.paths == ["/websocket-service/raw"]


async def test_the_sockets_are_where_the_page_finds_them() -> None:
    """At another origin, or on another path: the page of an origin is told, and so are we."""
    emitter = Emitter(saying(welcome("e1:2"), stays=True))
    page = Emitter()
    async with emitter.running() as sockets:
        page.page = {"socket_url": sockets, "socket_path": "/"}
        async with listening(page) as (run, _):
            await eventually(lambda: run.notes, message="it listens")
    assert (emitter.paths, page.paths) == (["/raw"], [])


async def test_who_is_told_to_wait_waits() -> None:
    """Also at the first attempt: an emitter that names a time is there."""
    emitter = Emitter((429, {"Retry-After": "1"}, {}), saying(welcome("e1:2"), stays=True))
    began = time.monotonic()
    async with listening(emitter) as (run, _):
        await eventually(lambda: "storecast: listening, after e1:2" in run.notes, message="it listens")
    assert time.monotonic() - began >= 1


async def test_a_refusal_is_told_by_its_fields() -> None:
    """It would be the same each time: it ends it, at first as later."""
    body = problem(422, "two", [FieldError("topics", "no such topic"), FieldError("after", "an offset looks like")])
    assert (await refused(Emitter((422, {}, body)))).lines == ("topics: no such topic", "after: an offset looks like")
    later = await refused(Emitter(saying(welcome("e1:2")), (401, {}, problem(401, "the token has expired"))), "to.ke.n")
    assert isinstance(later, Refused)
    assert later.lines == ("the token has expired",)


async def test_what_never_answered_is_not_waited_for() -> None:
    """A gateway without an emitter, at the first attempt: 3, and not for ever."""
    ended = await refused(Emitter((502, {}, {})))
    assert isinstance(ended, Unavailable)
    assert ended.exit_code == 3


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_what_names_a_time_at_first_is_waited_for_a_while(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emitter that is full may have room soon; but a gateway says so, too, of emitters that are not there."""
    monkeypatch.setattr(stream, "FIRST_WITHIN_S", 0.5)
    emitter = Emitter(*[(status, {"Retry-After": "1"}, {})] * 3)
    ended = await refused(emitter)
    assert isinstance(ended, Unavailable)
    assert ended.exit_code == 3
    assert len(emitter.asked) == 2


async def test_a_token_that_runs_out_is_said() -> None:
    """It ends where a topic takes a token; else it goes on, as anybody may hear."""
    emitter = Emitter(
        saying(welcome("e1:2"), message("token_expiring", expires_in_s=60), message("token_expired", left=[]),
               message("token_expired", left=["products"]))
    )  # fmt: skip
    run = Run(None)
    async with emitter.running() as origin:
        with pytest.raises(Refused, match="the token has expired, and products takes one"):
            await asyncio.wait_for(run.tail.run(origin, (), "to.ke.n"), 30)
    assert run.notes[1:] == ["storecast: the token expires in 60 s", "storecast: the token has expired"]
    assert run.told == []
