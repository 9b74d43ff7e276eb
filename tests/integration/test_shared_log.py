"""The script that appends to the log in Redis: whatever is posted, by whomever, the log has no gap and no double."""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.emitter_api import Batch
from shared.serving.redis import closing
from tests.events import event, events
from tests.redis_server import RedisServer
from ws_service.cluster.redis import open_redis
from ws_service.cluster.shared_log import SharedLog
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import Subscriptions

KEEP = 100_000


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        asyncio.run(server.answers())
        yield server


class Post(NamedTuple):
    """What a relay may post: also a stale one, or one of another epoch."""

    epoch: str
    first: int
    length: int
    history: bool
    closes: bool

    @property
    def batch(self) -> Batch:
        """What goes over the wire."""
        return Batch(
            epoch=self.epoch,
            events=events(self.first, self.first + self.length - 1),
            history=self.history,
            position=self.first + self.length - 1 if self.history and self.closes else None,
        )


POSTS = st.builds(
    Post,
    epoch=st.sampled_from(["e1", "e1", "e1", "e2"]),
    first=st.integers(1, 12),
    length=st.integers(0, 4),
    history=st.booleans(),
    closes=st.booleans(),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posts=st.lists(POSTS, max_size=12))
def test_the_log_decides_as_the_hub_of_a_lone_emitter(redis: RedisServer, posts: list[Post]) -> None:
    """Both are asked the same, and answer the same: whether a batch is taken, and where the log is then."""
    redis.client.flushall()
    asyncio.run(_compare(redis.url, posts))


async def _compare(url: str, posts: list[Post]) -> None:
    hub = Hub(History(KEEP, 1 << 30), Subscriptions())
    client = open_redis(url)
    stream = SharedLog(client, KEEP, 1 << 30)
    async with closing(client):
        for post in posts:
            taken, place = await stream.append(post.batch)
            assert taken == hub.take(post.batch), post
            answer = hub.answer()
            assert place == answer == await stream.position(), post
        if hub.position:
            kept = await stream.read(hub.position.epoch, 0, hub.position.seq, KEEP)
            assert [entry.seq for entry in kept] == list(range(hub.position.seq - len(kept) + 1, hub.position.seq + 1))
            assert [entry.payload for entry in kept] == [b'{"n":%d}' % entry.seq for entry in kept]


async def test_two_relays_at_once_leave_no_gap_and_no_double(redis: RedisServer) -> None:
    """Two that believe to lead post the same log at the same time: it is there once."""
    redis.client.flushall()
    first, second = open_redis(redis.url), open_redis(redis.url)
    async with closing(first), closing(second):
        streams = [SharedLog(client, KEEP, 1 << 30) for client in (first, second)]
        await streams[0].append(Batch(epoch="e1", history=True, position=0))
        await asyncio.gather(*(_relay(stream, size) for stream, size in zip(streams, (3, 7), strict=True)))
        kept = await streams[0].read("e1", 0, 200, KEEP)
        assert [entry.seq for entry in kept] == list(range(1, 201))


async def _relay(stream: SharedLog, size: int) -> None:
    while (position := (await stream.position()).position or 0) < 200:
        await stream.append(Batch(epoch="e1", events=events(position + 1, min(200, position + size))))


async def test_the_log_keeps_no_more_bytes_than_it_may(redis: RedisServer) -> None:
    """A few large events count as much as many small ones; the newest one stays, however large it is."""
    redis.client.flushall()
    client = open_redis(redis.url)
    async with closing(client):
        stream = SharedLog(client, KEEP, 10_000)
        await stream.append(Batch(epoch="e1", history=True, position=0))
        for seq in range(1, 30):
            await stream.append(Batch(epoch="e1", events=[event(seq, payload="x" * 998)]))
        assert [entry.seq for entry in await stream.read("e1", 0, 100, KEEP)] == list(range(20, 30))
        await stream.append(Batch(epoch="e1", events=[event(30, payload="x" * 20_000)]))
        assert [entry.seq for entry in await stream.read("e1", 0, 100, KEEP)] == [30]
        assert (await stream.position()).position == 30


async def test_the_log_keeps_no_more_than_it_may(redis: RedisServer) -> None:
    """The oldest events go, the newest stay."""
    redis.client.flushall()
    client = open_redis(redis.url)
    async with closing(client):
        stream = SharedLog(client, 1_000, 1 << 30)
        await stream.append(Batch(epoch="e1", history=True, position=0))
        for first in range(1, 5_001, 500):
            await stream.append(Batch(epoch="e1", events=events(first, first + 499)))
        kept = await stream.read("e1", 0, 5_000, KEEP)
        assert len(kept) == 1_000
        assert kept[-1].seq == 5_000
