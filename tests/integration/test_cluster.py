"""Many emitters on one Redis: each event once, in order, to the sockets of all, whatever becomes of Redis."""

import contextlib
import signal
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.local.ports import HOST
from shared.emitter_api import MAX_BATCH_BYTES, Batch
from shared.events import Event
from shared.serving.redis import closing as closing_redis
from tests.events import EPOCH, closing, event, history, live
from tests.integration.cluster import all_at, clients, deliver, emitters, open_all
from tests.integration.emitter import Emitter
from tests.redis_server import PRIMARY, RedisServer, sentinel_of
from tests.waiting import eventually
from ws_service.cluster.redis import open_redis
from ws_service.cluster.shared_log import SharedLog


@pytest.fixture
async def three(redis: RedisServer) -> AsyncIterator[list[Emitter]]:
    async with emitters(3, redis.url) as running:
        yield running


def is_deaf(emitter: Emitter) -> bool:
    return emitter.nodes.is_deaf


def hears(emitter: Emitter) -> bool:
    return not emitter.nodes.is_deaf


async def state(emitter: Emitter) -> tuple[int, str]:
    answer = await emitter.http.get("/readyz")
    return answer.status_code, answer.json()["status"]


async def test_whichever_emitter_is_posted_to_all_tell_their_sockets(three: list[Emitter]) -> None:
    """A batch is posted to one emitter; a socket on any of them hears each event once, in order."""
    await open_all(three, 3)
    async with clients(three) as connected:
        for number, batch in enumerate([live(4, 6), live(7, 7), live(5, 9)]):
            assert (await three[number].post(batch)).json() == {"epoch": EPOCH, "position": [6, 7, 9][number]}
        for client in connected:
            assert await client.seqs(6) == [4, 5, 6, 7, 8, 9]


async def test_a_gap_is_refused_with_the_position_of_all(three: list[Emitter]) -> None:
    """No emitter leaves a gap in the log, and each answers with where the log is, not where it is itself."""
    await open_all(three, 3)
    for emitter in three:
        refused = await emitter.post(live(5, 6))
        assert (refused.status_code, refused.json()) == (HTTPStatus.CONFLICT, {"epoch": EPOCH, "position": 3})


async def test_nothing_is_live_before_the_handover_is_closed(three: list[Emitter]) -> None:
    """Without a closed hand-over the position is null and what is live is refused, at whichever emitter."""
    assert (await three[0].post(history(1, 3))).json() == {"epoch": EPOCH, "position": None}
    assert (await three[1].post(live(4, 4))).status_code == HTTPStatus.CONFLICT
    assert await state(three[2]) == (HTTPStatus.SERVICE_UNAVAILABLE, "waiting")
    assert (await three[1].post(closing(3))).json() == {"epoch": EPOCH, "position": 3}
    await all_at(3, three)


async def test_an_emitter_that_comes_later_knows_the_past(redis: RedisServer, three: list[Emitter]) -> None:
    """A client that comes back to another, newer emitter is given what it missed, and is recovered."""
    await open_all(three, 3)
    assert (await three[0].post(live(4, 8))).is_success
    async with Emitter.running(redis_url=redis.url, instance="emitter-4") as fourth:
        await all_at(8, [fourth])
        async with fourth.client({"after": f"{EPOCH}:5"}) as client:
            assert (await client.welcome())["recovered"]
            assert await client.seqs(3) == [6, 7, 8]


async def test_a_new_epoch_ends_the_sockets_of_all(three: list[Emitter]) -> None:
    """A database that was restored begins a new epoch: no emitter goes on with the old one."""
    await open_all(three, 3)
    async with clients(three) as connected:
        assert (await three[1].post(history(1, 2, "e2"))).is_success
        assert (await three[2].post(closing(2, "e2"))).is_success
        for client in connected:
            await client.closed()
    await eventually(lambda: [str(each.hub.position) for each in three] == ["e2:2"] * 3, message="all are at e2:2")


async def test_a_redis_that_was_emptied_is_filled_again(redis: RedisServer, three: list[Emitter]) -> None:
    """Killed and started again without its memory: the relay hands over, and nobody hears anything twice or never."""
    await open_all(three, 3)
    async with clients(three) as connected:
        await deliver(live(4, 5), three[0])
        for client in connected:
            assert await client.seqs(2) == [4, 5]
        await redis.kill()
        await eventually(lambda: three[0].nodes.is_deaf, message="the emitters are deaf")
        assert (await three[0].post(live(6, 6))).status_code == HTTPStatus.SERVICE_UNAVAILABLE
        redis.start()
        await redis.answers()
        # What was committed meanwhile comes as history, and is news for who is connected.
        await deliver(history(1, 8), three[1])
        await deliver(closing(8), three[1])
        await deliver(live(9, 9), three[2])
        for client in connected:
            assert await client.seqs(4) == [6, 7, 8, 9]


async def test_a_log_that_was_put_back_is_not_given_numbers_twice(redis: RedisServer, three: list[Emitter]) -> None:
    """Redis is empty, and the relay's log ends before what was told already: it hears so, and begins a new epoch."""
    await open_all(three, 10)
    redis.client.flushall()
    assert (await three[0].post(history(1, 5))).is_success
    refused = await three[1].post(closing(5))
    assert (refused.status_code, refused.json()) == (HTTPStatus.CONFLICT, {"epoch": EPOCH, "position": 10})


async def test_many_large_events_at_once_are_told_before_they_are_dropped(redis: RedisServer) -> None:
    """However much waits in Redis, it is taken as the relay would post it: who listens is sent all of it."""
    async with emitters(1, redis.url, history_bytes=8 * MAX_BATCH_BYTES) as [emitter]:
        await open_all([emitter], 1)
        async with emitter.client() as client:
            await client.welcome()
            # Behind its back, as another emitter would: so that all of it is there at its next read.
            other = open_redis(redis.url)
            async with closing_redis(other):
                log = SharedLog(other, 1_000, 1 << 30)
                assert (await log.append(Batch(epoch=EPOCH, events=[large(seq) for seq in range(2, 32)]))).taken
            assert await client.seqs(30) == list(range(2, 32))


def large(seq: int) -> Event:
    return event(seq, payload="x" * 450_000)


async def test_a_redis_that_hangs_is_noticed_and_waited_for(redis: RedisServer, three: list[Emitter]) -> None:
    """After 3 s without Redis each emitter is unready and says why; then all goes on by itself."""
    await open_all(three, 3)
    async with clients(three) as connected:
        redis.send(signal.SIGSTOP)
        for emitter in three:
            await eventually(partial(is_deaf, emitter), message="the emitter is deaf")
            assert await state(emitter) == (HTTPStatus.SERVICE_UNAVAILABLE, "deaf")
            assert (await emitter.http.get("/livez")).is_success
        redis.send(signal.SIGCONT)
        await deliver(live(4, 6), three[0])
        for client in connected:
            assert await client.seqs(3) == [4, 5, 6]
        for emitter in three:
            await eventually(partial(hears, emitter), message="the emitter hears")
            assert await state(emitter) == (HTTPStatus.OK, "ready")


async def test_a_replica_that_was_behind_is_filled_up(tmp_path: Path) -> None:
    """A replica takes over that lacks the newest events: they are posted again, and nobody hears them twice."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(RedisServer(tmp_path, "primary"))
        await primary.answers()
        replica = stack.enter_context(RedisServer(tmp_path, "replica", primary=primary))
        sentinel = stack.enter_context(sentinel_of(primary, tmp_path))
        await sentinel.answers()
        await eventually(lambda: _replicas(sentinel) == 1, message="the Sentinel knows the replica")
        async with emitters(2, f"redis+sentinel://{HOST}:{sentinel.port}/{PRIMARY}") as running:
            await open_all(running, 3)
            await eventually(lambda: replica.client.hget("storecast:log", "position") == "3", message="replicated")
            async with clients(running) as connected:
                # It can connect no more, as if the network between the two were cut.
                replica.client.config_set("masteruser", "nobody")
                replica.client.config_set("masterauth", "wrong")
                primary.client.client_kill_filter(_type="replica")
                await deliver(live(4, 5), running[0])
                for client in connected:
                    assert await client.seqs(2) == [4, 5]
                await primary.kill()
                await eventually(lambda: _is_primary(replica), message="promoted")
                await eventually(lambda: _position(running[1], 3), message="the log is at 3 again")
                await deliver(live(4, 7), running[1])
                for client in connected:
                    assert await client.seqs(2) == [6, 7]


def _is_primary(server: RedisServer) -> bool:
    # Who is promoted drops its connections.
    with contextlib.suppress(RedisConnectionError):
        return bool(server.client.role()[0] == "master")
    return False


def _replicas(sentinel: RedisServer) -> int:
    found: Any = sentinel.client.sentinel_master(PRIMARY)
    return int(found["num-slaves"])


async def _position(emitter: Emitter, position: int) -> bool:
    answer = await emitter.http.get("/events/position")
    return answer.is_success and answer.json() == {"epoch": EPOCH, "position": position}


async def test_who_was_cut_off_for_too_long_begins_anew(redis: RedisServer) -> None:
    """What an emitter lacks was dropped from the log: its sockets come again and are told, instead of hearing a gap."""
    async with emitters(2, redis.url, history_events=1_000) as running:
        await open_all(running, 1)
        async with running[1].client() as client:
            await client.welcome()
            # Its place in the log is moved back to before what is kept: as if it had slept.
            for first in range(2, 2_002, 500):
                assert (await running[0].post(live(first, first + 499))).is_success
            await all_at(2_001, running)
            await client.seqs(2_000)
            running[1].hub.history.last = 1
            await deliver(live(2_002, 2_002), running[0])
            await client.closed()
        await all_at(2_002, running)
