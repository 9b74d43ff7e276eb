"""Tokens that expire while their socket is connected."""

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import connect

from shared.emitter_api import EMIT_PATH
from shared.identity.identity import PRODUCTS_READ
from tests.clock import Clock
from tests.events import EPOCH, history, live
from tests.integration.emitter import Emitter, RawClient
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually

SOON_S, NOTICE_S = 300, 60


CLOSED = {"auth": "jwt", "jwt_secret": JWT_SECRET, "jwt_leeway_seconds": 0, "public_read": False}


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    settings = {
        "auth": "jwt",
        "jwt_secret": JWT_SECRET,
        "jwt_leeway_seconds": 0,
        "token_notice_seconds": NOTICE_S,
        "topic_rules": {"inbox:*": "sub", "staff:*": "staff"},
        "client_topics": ["chat:*", "inbox:*"],
    }
    async with Emitter.running(**settings) as emitter:
        await emitter.open()
        yield emitter


def soon(sub: str = "ann", **claims: Any) -> str:
    return token(sub, exp=int(time.time()) + SOON_S, **claims)


async def reached(emitter: Emitter, room: str) -> int:
    answer = await emitter.http.post(EMIT_PATH, json={"event": "note", "payload": 1, "to": [room]})
    return int(answer.json()["reached"])


async def next_named(client: RawClient, name: str) -> Any:
    event = await client.event()
    assert event[0] == name, event
    return event[1]


async def test_a_socket_outlives_its_token_but_not_its_rooms(emitter: Emitter, clock: Clock) -> None:
    """It is told ahead, then leaves the rooms and what only its token let it hear, and goes on with the rest."""
    topics = ["products", "chat:lobby", "inbox:ann"]
    async with emitter.client({"token": soon(), "topics": topics}) as client:
        await client.welcome()
        assert await reached(emitter, "user:ann") == 1
        assert (await client.event())[0] == "note"

        await clock.put_forward(SOON_S - NOTICE_S)
        assert 0 <= (await next_named(client, "token_expiring"))["expires_in_s"] <= NOTICE_S
        await clock.put_forward(NOTICE_S)
        assert (await next_named(client, "token_expired")) == {"left": ["inbox:ann"]}

        assert await reached(emitter, "user:ann") == await reached(emitter, "inbox:ann") == 0
        await emitter.post(live(1, 1))
        assert await client.seqs(1) == [1]
        refused = (await client.call("subscribe", {"topics": ["inbox:ann"]}))["error"]
        assert (refused["status"], refused["errors"][0]["field"]) == (401, "topics")


async def test_a_new_token_keeps_a_socket_where_it_is(emitter: Emitter, clock: Clock) -> None:
    """No reconnecting, nothing missed: the old token's end means nothing any more."""
    async with emitter.client({"token": soon(), "topics": ["inbox:ann"]}) as client:
        await client.welcome()
        await clock.put_forward(SOON_S - NOTICE_S)
        await next_named(client, "token_expiring")
        exp = int(time.time()) + 3_600
        answer = await client.call("authenticate", {"token": token("ann", exp=exp)})
        expires_at = datetime.fromtimestamp(exp, UTC).isoformat(timespec="seconds")
        assert answer == {"user": "ann", "expires_at": expires_at}

        await clock.put_forward(NOTICE_S)
        assert await reached(emitter, "device:ann") == await reached(emitter, "inbox:ann") == 1


async def test_a_socket_may_say_later_who_it_is(emitter: Emitter) -> None:
    """Who logs in enters its rooms at once; but a socket is never two users', one after the other."""
    async with emitter.client() as client:
        await client.welcome()
        assert await reached(emitter, "user:ann") == 0
        assert (await client.call("authenticate", {"token": token("ann")}))["user"] == "ann"
        assert await reached(emitter, "user:ann") == 1
        await client.event()

        error = (await client.call("authenticate", {"token": token("bob")}))["error"]
        assert error["status"] == 403
        assert await reached(emitter, "user:bob") == 0


async def test_a_socket_stays_whose_it_was_when_its_token_has_expired(emitter: Emitter, clock: Clock) -> None:
    """What still waits for it may be for that user: another one connects anew, the same one may come back."""
    async with emitter.client({"token": soon("ann")}) as client:
        await client.welcome()
        await clock.put_forward(SOON_S)
        await next_named(client, "token_expired")
        assert (await client.call("authenticate", {"token": token("bob")}))["error"]["status"] == 403
        assert (await client.call("authenticate", {"token": token("ann")}))["user"] == "ann"


async def test_the_past_of_a_closed_topic_ends_with_the_token(clock: Clock) -> None:
    """Who has not read yet what was asked for in time is not sent the rest of it."""
    large = [each.model_copy(update={"payload": {"pad": "x" * 8_000}}) for each in history(1, 1_000).events]
    past = history(1, 1_000).model_copy(update={"events": large})
    async with Emitter.running(**CLOSED) as emitter:
        await emitter.open(past, position=1_000)
        async with emitter.client({"token": soon(scope=PRODUCTS_READ), "topics": ["category:quiet"]}) as client:
            await client.welcome()
            await client.send(f'421["subscribe",{{"topics":["products"],"after":"{EPOCH}:0"}}]')
            [session] = emitter.sockets.server.eio.sockets.values()
            transport: Any = session.transport._transport  # noqa: SLF001  # nothing outside tells how full it is
            await eventually(transport.get_write_buffer_size, message="the past waits for somebody to read it")
            await clock.put_forward(SOON_S)
            [subscription] = emitter.hub.subscriptions.everyone()
            assert subscription.member.user is None, "the token has expired"
            heard: list[Any] = []
            while not heard or heard[-1][0] != "token_expired":
                heard.append(await client.event())
            assert 1 < len(heard) < 1_000
            await emitter.post(live(1_001, 1_001))
            assert json.loads((await client.receive())[3:]) == [{"topics": [], "recovered": True}], "it is acknowledged"
            assert await client.call("unsubscribe", {"topics": ["products"]}) == {"topics": []}, "nothing came before"


async def test_a_token_that_expires_while_the_history_is_waited_for_opens_nothing(clock: Clock) -> None:
    """It was good when it was shown; what it permitted is not sent any more."""
    async with Emitter.running(**CLOSED, handover_timeout_ms=60_000) as emitter:
        url = f"ws://{emitter.address}/websocket-service/raw?after={EPOCH}:0"
        bearer = {"Authorization": f"Bearer {soon(scope=PRODUCTS_READ)}"}
        async with connect(url, additional_headers=bearer, proxy=None) as websocket:
            await clock.put_forward(SOON_S)
            await emitter.open_with(100)
            heard = [json.loads(await websocket.recv()) for _ in range(2)]
    assert [each["event"] for each in heard] == ["welcome", "token_expired"]
    assert heard[1]["payload"] == {"left": ["products"]}


async def test_a_token_with_less_takes_away_what_it_lacks(emitter: Emitter) -> None:
    """The new token counts, and nothing of the one before."""
    async with emitter.client({"token": token("ann", scope="staff"), "topics": ["staff:news"]}) as client:
        await client.welcome()
        assert await reached(emitter, "staff:news") == 1
        await client.event()
        await client.call("authenticate", {"token": token("ann")})
        assert await reached(emitter, "staff:news") == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"token": "nonsense"}, 401),
        ({"token": token("ann", aud="another")}, 401),
        ({"token": 7}, 422),
        ({}, 422),
        (None, 422),
        ({"token": "x" * 5_000}, 422),
        ({"token": "x", "more": 1}, 422),
    ],
    ids=range(7),
)
async def test_a_bad_token_changes_nothing(emitter: Emitter, request_: Any, status: int) -> None:
    """Refused with what is wrong, and the socket is who it was."""
    async with emitter.client({"token": token("ann")}) as client:
        await client.welcome()
        assert (await client.call("authenticate", request_))["error"]["status"] == status
        assert await reached(emitter, "user:ann") == 1


async def test_other_listeners_are_told_as_well(emitter: Emitter, clock: Clock) -> None:
    """A plain websocket hears of the end, and leaves its rooms: with a new token it comes anew."""
    url = f"ws://{emitter.address}/websocket-service/raw"
    async with connect(url, additional_headers={"Authorization": f"Bearer {soon()}"}, proxy=None) as websocket:
        for expected, pass_s in [("welcome", SOON_S - NOTICE_S), ("token_expiring", NOTICE_S), ("token_expired", 0)]:
            assert json.loads(await websocket.recv())["event"] == expected
            await clock.put_forward(pass_s)
        assert await reached(emitter, "user:ann") == 0


async def test_a_socket_that_has_gone_leaves_no_timer(emitter: Emitter) -> None:
    """Neither a timer nor an identity is kept of who has left."""
    async with emitter.client({"token": token("ann")}) as client:
        await client.welcome()
    standings = emitter.sockets._standings  # noqa: SLF001  # nothing outside tells
    await eventually(lambda: not standings._of, message="nothing is kept")  # noqa: SLF001
