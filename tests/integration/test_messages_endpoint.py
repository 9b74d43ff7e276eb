"""`POST /messages` on the product API, with real emitters behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api_service.emitters import Emitters
from api_service.messages import messenger
from api_service.messages.endpoints import router
from api_service.messages.messenger import Messenger
from api_service.relay.emitter_client import EmitterClient, EmitterUnavailable
from api_service.settings import Settings
from api_service.writes import Writes
from shared.rooms import RESERVED_EVENTS
from shared.serving.http.errors import add_error_handlers
from shared.serving.tokens import tokens_of
from tests.integration.emitter import SECRET, Emitter
from tests.limits import limited
from tests.listening import Listener
from tests.tokens import JWT_SECRET, token

NOBODY = "http://127.0.0.1:9"


def application(*emitters: str, **fields: Any) -> FastAPI:
    """The endpoint alone, which needs no database."""
    app = FastAPI()
    app.state.settings = settings_of(*emitters, **fields)
    app.state.tokens = tokens_of(app.state.settings)
    app.state.writes = Writes(app.state.settings)
    app.include_router(router)
    add_error_handlers(app)
    return app


@asynccontextmanager
async def api(*emitters: str, **fields: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = application(*emitters, **fields)
    async with (
        Emitters.connect(app.state.settings) as reached,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api", timeout=30) as client,
    ):
        app.state.messenger = Messenger(reached)
        yield client


def settings_of(*emitters: str, **fields: Any) -> Settings:
    return Settings(**{"auth": "off", "emitter_secret": SecretStr(SECRET), **fields}, emitter_url=",".join(emitters))


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running(jwt_secret=JWT_SECRET) as emitter:
        await emitter.open()
        yield emitter


def message(**fields: Any) -> dict[str, Any]:
    return {"event": "picture", "payload": {"show": 7}, "to": ["device:screen"], **fields}


async def test_a_device_is_told_and_answers(emitter: Emitter) -> None:
    """Users, devices and topics are reached by their names, and those who are missing are named as they were called."""
    url = f"http://{emitter.address}"
    async with api(url) as http, Listener(url, auth={"token": token("screen")}) as listener:
        to = ["device:screen", "user:away", "topic:category:toys", "topic:products"]
        answer = await http.post("/messages", json=message(to=to, ack_timeout_ms=10_000))
        assert (answer.status_code, answer.json()["not_connected"]) == (200, ["user:away", "topic:category:toys"])
        [ack] = answer.json()["acks"]
        assert (ack["user"], ack["node"], ack["answer"]) == ("screen", "emitter-1", [{"client": 0, "heard": "picture"}])
        assert listener.client.messages("picture") == [{"show": 7}]
        answer = await http.post("/messages", json=message())
        assert answer.json() == {"reached": 1, "not_connected": []}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": []}, "to"),
        ({"to": ["device:x"] * 1001}, "to"),
        ({"to": None}, "to"),
        *[({"to": [name]}, "to.0") for name in ("x", "*", "user:", "user:a b", "topic:*", "topic:user:ann", "room:x")],
        ({"to": ["user:" + "x" * 101]}, "to.0"),
        *[({"event": event}, "event") for event in ("", "x" * 101, *sorted(RESERVED_EVENTS))],
        *[({"ack_timeout_ms": value}, "ack_timeout_ms") for value in (0, 60_001, True)],
        ({"more": 1}, "more"),
    ],
)
async def test_a_wrong_message_names_the_field(fields: dict[str, Any], field: str) -> None:
    """What no emitter could send is refused before one is asked."""
    async with api(NOBODY) as http:
        answer = await http.post("/messages", json=message(**fields))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        (r'"\ud800"', "1", "event"),
        ('"x"', r'"\ud800"', "payload"),
        ('"x"', r'{"\udfff": 1}', "payload"),
        ('"x"', r'["a\ud83d"]', "payload"),
    ],
)
async def test_half_a_character_is_no_text(event: str, payload: str, field: str) -> None:
    """JSON has a word for it, which cannot be sent on: 422, and no fault of ours."""
    body = f'{{"event": {event}, "payload": {payload}, "to": ["device:screen"]}}'
    async with api(NOBODY) as http:
        answer = await http.post("/messages", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_one_caller_has_so_many_messages_waiting(emitter: Emitter, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is 429, until one of them is answered; what waits for nobody is sent, and so is what others send."""
    monkeypatch.setattr(messenger, "MAX_WAITING_EACH", 2)
    before = limited("caller_acknowledgements")
    asks, tells = message(to=["topic:products"], ack_timeout_ms=60_000), message(to=["topic:products"])
    ann, bob = ({"Authorization": f"Bearer {token(name, scope='messages:send')}"} for name in ("ann", "bob"))
    tokens = {"auth": "jwt", "jwt_secret": SecretStr(JWT_SECRET)}
    async with (
        api(f"http://{emitter.address}", **tokens) as http,
        emitter.client() as client,
        asyncio.TaskGroup() as group,
    ):
        await client.welcome()
        waiting = [group.create_task(http.post("/messages", json=asks, headers=ann)) for _ in range(2)]
        numbers = [(await client.asked())[0] for _ in waiting]
        refused = await http.post("/messages", json=asks, headers=ann)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert limited("caller_acknowledgements") == before + 1
        assert (await http.post("/messages", json=tells, headers=ann)).json()["reached"] == 1
        assert (await client.event())[0] == "picture"
        waiting.append(group.create_task(http.post("/messages", json=asks, headers=bob)))
        numbers.append((await client.asked())[0])
        await client.acknowledge(numbers.pop())
        assert (await waiting.pop()).status_code == 200
        await client.acknowledge(numbers.pop())
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting.append(group.create_task(http.post("/messages", json=asks, headers=ann)))
        numbers.append((await client.asked())[0])
        for number in numbers:
            await client.acknowledge(number)


async def test_without_an_emitter_it_is_to_be_tried_again() -> None:
    """503 with Retry-After, and the word that nothing was done."""
    async with api(NOBODY, NOBODY) as http:
        answer = await http.post("/messages", json=message())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "nothing was done" in answer.json()["detail"]


async def test_the_next_emitter_is_asked_when_one_cannot_be_reached(emitter: Emitter) -> None:
    """An emitter that is down costs no message, and is not asked first again."""
    async with api(NOBODY, f"http://{emitter.address}") as http:
        for _ in range(2):
            assert (await http.post("/messages", json=message())).json()["not_connected"] == ["device:screen"]


async def test_the_relay_turns_to_the_next_emitter(emitter: Emitter) -> None:
    """A call that fails is the caller's to repeat; the next one goes elsewhere, and so on round."""
    async with EmitterClient.connect(settings_of(NOBODY, f"http://{emitter.address}")) as client:
        with pytest.raises(EmitterUnavailable):
            await client.position()
        for _ in range(2):
            assert (await client.position()).position == 0


async def test_a_wrong_secret_is_no_fault_of_the_caller(emitter: Emitter) -> None:
    """The caller is not told that it is unauthorized: it does not know that secret."""
    async with api(f"http://{emitter.address}", emitter_secret=SecretStr("x" * 16)) as http:
        answer = await http.post("/messages", json=message())
    assert answer.status_code == 503
    assert "STORECAST_EMITTER_SECRET" in answer.json()["detail"]


async def test_an_emitter_with_another_secret_is_not_asked_first_again(emitter: Emitter) -> None:
    """Of several, those that are set up as they should be go on taking messages."""
    async with (
        Emitter.running(emitter_secret="y" * 16) as other,
        api(f"http://{other.address}", f"http://{emitter.address}") as http,
    ):
        assert (await http.post("/messages", json=message())).status_code == 503
        assert (await http.post("/messages", json=message())).status_code == 200


Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


@asynccontextmanager
async def answered_by(handler: Handler) -> AsyncIterator[httpx.AsyncClient]:
    app = application("http://127.0.0.1:1")
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handler)) as emitters,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
    ):
        app.state.messenger = Messenger(Emitters(emitters, ["http://a", "http://b"]))
        yield client


async def test_the_emitters_own_refusal_is_passed_on() -> None:
    """With its status, its reason and its fields, as a problem document."""

    async def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(413, json={"detail": "too large", "errors": [{"field": "payload", "message": "long"}]})

    async with answered_by(refuse) as http:
        answer = await http.post("/messages", json=message())
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert (answer.json()["detail"], answer.json()["errors"][0]["field"]) == ("too large", "payload")


@pytest.mark.parametrize(
    "response", [httpx.Response(200, text="<html>"), httpx.Response(502, text="<html>"), httpx.Response(204)]
)
async def test_what_is_no_emitter_is_said(response: httpx.Response) -> None:
    """A proxy's page is no answer, whatever its status."""

    async def answer_with(_: httpx.Request) -> httpx.Response:
        return response

    async with answered_by(answer_with) as http:
        answer = await http.post("/messages", json=message())
    assert answer.status_code == 503


async def test_a_message_is_never_sent_twice() -> None:
    """Once an emitter may have taken it no other is asked; its answer is waited for longer than it waits itself."""
    asked = []

    async def break_off(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadTimeout("", request=request)

    async with answered_by(break_off) as http:
        answer = await http.post("/messages", json=message(ack_timeout_ms=30_000))
    assert answer.status_code == 503
    assert "may have been done" in answer.json()["detail"]
    assert [request.extensions["timeout"]["read"] for request in asked] == [35.0]
