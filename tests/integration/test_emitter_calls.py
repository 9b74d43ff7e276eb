import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest

from shared.emitter_api import DRAIN_PATH, EMIT_PATH, EVENTS_PATH, POSITION_PATH, REBALANCE_PATH, Batch
from shared.rooms import OF_CONNECTIONS, RESERVED_EVENTS
from tests.events import EPOCH, event, history, live
from tests.integration.emitter import SECRET, Emitter
from ws_service.calls import MAX_BODY_BYTES


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


@pytest.mark.parametrize(("method", "path"), [("POST", EVENTS_PATH), ("GET", POSITION_PATH), ("POST", EMIT_PATH)])
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", SECRET, f"Basic {SECRET}", f"Bearer {SECRET}x"],
)
async def test_without_the_secret_nothing_is_done(emitter: Emitter, method: str, path: str, authorization: str) -> None:
    """A missing or wrong secret is a 401 problem that names the fix, whatever the body."""
    answer = await emitter.http.request(method, path, headers={"Authorization": authorization}, content=b"{")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "STORECAST_EMITTER_SECRET" in answer.json()["detail"]


async def test_a_secret_in_another_script_is_just_wrong(emitter: Emitter) -> None:
    """Bytes that are no ASCII are compared like any others."""
    answer = await emitter.http.get(POSITION_PATH, headers=[(b"authorization", "Bearer geheimnißvoll".encode())])
    assert answer.status_code == 401


async def test_the_position_protocol(emitter: Emitter) -> None:
    """History and its close open the emitter; what follows is taken; a gap is 409 with the position."""
    assert (await emitter.http.get(POSITION_PATH)).json() == {"epoch": None, "position": None}
    assert (await emitter.post(live(1, 2))).status_code == 409
    taken = await emitter.post(history(1, 5))
    assert (taken.status_code, taken.json()) == (200, {"epoch": EPOCH, "position": None})
    await emitter.open(position=5)
    assert (await emitter.post(live(6, 7))).json() == {"epoch": EPOCH, "position": 7}
    gap = await emitter.post(live(9, 9))
    assert (gap.status_code, gap.json()) == (409, {"epoch": EPOCH, "position": 7})
    assert (await emitter.http.get(POSITION_PATH)).json() == {"epoch": EPOCH, "position": 7}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"\xff", "body"),
        (b"[]", "body"),
        (b"{}", "epoch"),
        (b'{"epoch": "e", "events": [{"seq": 0, "event": "x"}]}', "events.0.seq"),
        (b'{"epoch": "e", "events": [{"seq": "one", "event": "x"}]}', "events.0.seq"),
        (b'{"epoch": "e", "events": [{"seq": 1}]}', "events.0.event"),
        (b'{"epoch": "e", "position": -1}', "position"),
    ],
)
async def test_a_malformed_batch_names_the_field(emitter: Emitter, body: bytes, field: str) -> None:
    """What the emitter cannot take is 422, so that the relay does not try the same again for ever."""
    answer = await emitter.http.post(EVENTS_PATH, content=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert emitter.hub.position is None


async def test_a_field_of_a_newer_api_is_ignored(emitter: Emitter) -> None:
    """An API that is a version ahead can talk to an emitter that is not."""
    await emitter.open()
    batch = json.loads(live(1, 1).model_dump_json())
    batch["events"][0]["news"] = 1
    assert (await emitter.http.post(EVENTS_PATH, json={**batch, "news": 1})).status_code == 200


async def test_a_body_without_end_is_cut_off(emitter: Emitter) -> None:
    """The emitter never holds more of a body than its limit."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    answer = await emitter.http.post(EVENTS_PATH, content=chunks())
    assert answer.status_code == 413


@pytest.mark.parametrize("path", [EVENTS_PATH, EMIT_PATH, DRAIN_PATH, REBALANCE_PATH])
async def test_a_body_that_is_compressed(emitter: Emitter, path: str) -> None:
    """415 that says how to send it, as at the API: nothing is unpacked, and nothing is done."""
    body = gzip.compress(history(1, 5).model_dump_json().encode())
    for encoding in ("gzip", "GZIP", "identity, gzip", "br"):
        answer = await emitter.http.post(path, content=body, headers={"Content-Encoding": encoding})
        assert answer.status_code == 415
        assert answer.headers["Accept-Encoding"] == "identity"
        assert [error["field"] for error in answer.json()["errors"]] == ["Content-Encoding"]
    assert (await emitter.http.get("/readyz")).json()["status"] != "draining"
    plain = await emitter.http.post(EMIT_PATH, json={"event": "hello"}, headers={"Content-Encoding": "identity"})
    assert plain.status_code == 200


async def test_a_full_batch_of_the_largest_events_is_taken(emitter: Emitter) -> None:
    """The relay's largest post fits."""
    await emitter.open()
    batch = Batch(epoch=EPOCH, events=[event(seq, payload={"x": "y" * 2000}) for seq in range(1, 501)])
    assert (await emitter.post(batch)).status_code == 200


async def test_emit_reaches_everyone_or_the_named_topics(emitter: Emitter) -> None:
    """Any service that can post can push, and learns how many sockets it reached."""
    await emitter.open()
    async with emitter.client() as all_of_it, emitter.client({"topics": ["category:toys"]}) as toys:
        await all_of_it.welcome()
        await toys.welcome()
        answer = await emitter.http.post(EMIT_PATH, json={"event": "hello", "payload": {"a": 1}})
        assert answer.json() == {"reached": 2}
        assert await all_of_it.event() == ["hello", {"a": 1}, {}]
        assert await toys.event() == ["hello", {"a": 1}, {}]
        answer = await emitter.http.post(
            EMIT_PATH, json={"event": "sale", "payload": "toys!", "to": ["category:toys", "nobody"]}
        )
        assert answer.json() == {"reached": 1, "not_connected": ["nobody"]}
        assert await toys.event() == ["sale", "toys!", {}]


async def test_a_message_never_ends_with_a_string(emitter: Emitter) -> None:
    """The stock client takes a string at the end of an event for its offset, and could not recover any more."""
    await emitter.open()
    async with emitter.client() as client:
        await client.welcome()
        await emitter.http.post(EMIT_PATH, json={"event": "hello", "payload": "text"})
        assert not isinstance((await client.event())[-1], str)


async def test_emit_to_nobody_reaches_nobody(emitter: Emitter) -> None:
    """A message to nobody is no error, and the answer says so."""
    assert (await emitter.http.post(EMIT_PATH, json={"event": "hello"})).json() == {"reached": 0}


@pytest.mark.parametrize("event", sorted(RESERVED_EVENTS - OF_CONNECTIONS))
async def test_who_has_the_secret_may_speak_for_storecast(emitter: Emitter, event: str) -> None:
    """Any service that can POST can push what subscribers listen to already; it has no number."""
    await emitter.open()
    async with emitter.client() as client:
        await client.welcome()
        answer = await emitter.http.post(EMIT_PATH, json={"event": event, "payload": {"name": "Moka pot"}})
        assert answer.json() == {"reached": 1}
        assert await client.event() == [event, {"name": "Moka pot"}, {}]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "event"),
        *[({"event": event}, "event") for event in ("", *sorted(OF_CONNECTIONS))],
        ({"event": "x", "to": "y"}, "to"),
        ({"event": "x", "room": "y"}, "room"),
    ],
)
async def test_a_malformed_message_names_the_field(emitter: Emitter, message: object, field: str) -> None:
    """A message that nobody could hear, or would take for the emitter's own, is refused, with the reason."""
    answer = await emitter.http.post(EMIT_PATH, json=message)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_probes_and_metrics_need_no_secret(emitter: Emitter) -> None:
    """Ready means that the relay has handed the history over; alive asks nobody."""
    anonymous = {"Authorization": ""}
    assert (await emitter.http.get("/livez", headers=anonymous)).status_code == 200
    not_yet = await emitter.http.get("/readyz", headers=anonymous)
    assert (not_yet.status_code, not_yet.json()["status"]) == (503, "waiting")
    await emitter.open_with(3)
    ready = await emitter.http.get("/readyz", headers=anonymous)
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "epoch": EPOCH, "position": 3})
    metrics = await emitter.http.get("/metrics", headers=anonymous)
    assert "storecast_position 3.0" in metrics.text


async def test_what_there_is_not_is_a_problem_document(emitter: Emitter) -> None:
    """Unknown paths and methods answer in the form of every other error."""
    for answer in (await emitter.http.get("/nothing"), await emitter.http.get(EMIT_PATH)):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code in {404, 405}


async def test_a_caller_that_goes_away_is_no_traceback(emitter: Emitter, capfd: pytest.CaptureFixture[str]) -> None:
    """A relay that is killed in the middle of a post leaves nothing but its closed connection."""
    host, _, port = emitter.address.partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {EVENTS_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 99\r\n\r\n{{"
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await emitter.http.get("/livez")).status_code == 200
    assert "Traceback" not in "".join(capfd.readouterr())
