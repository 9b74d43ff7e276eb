from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api_service.feed.event_log import Entry, EventLog, UncertainAppend
from tests.integration.feed import Feed

MIB = 1024 * 1024
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url) as feed:
        yield feed


async def append(feed: Feed, first: int, last: int, text: str = "") -> None:
    """Append events, one a minute."""
    await feed.log.append(
        [
            Entry(seq, f"id-{seq}", "new_product", {"x": text}, [], BEGIN + timedelta(minutes=seq), {"_data": "00"})
            for seq in range(first, last + 1)
        ]
    )


async def seqs(feed: Feed, after: int, limit: int, max_bytes: int) -> list[int]:
    """Read as the leader that has appended the events, and as any other."""
    own = await feed.log.read(after, limit, max_bytes)
    assert own == await EventLog(feed.database).read(after, limit, max_bytes)
    return [event.seq for event in own]


async def queries(feed: Feed) -> int:
    """Return how often the log was read while the database was profiled."""
    return int(
        await feed.database.handle["system.profile"].count_documents({"op": "query", "ns": {"$regex": "events$"}})
    )


async def test_a_read_is_bounded_by_count(feed: Feed) -> None:
    """The next events, in order, and no more of them than were asked for."""
    await append(feed, 1, 9)
    assert await seqs(feed, 2, 4, MIB) == [3, 4, 5, 6]
    assert await seqs(feed, 7, 4, MIB) == [8, 9]
    assert await seqs(feed, 9, 4, MIB) == []
    assert await seqs(feed, 2, 0, MIB) == []


async def test_a_read_is_bounded_by_bytes(feed: Feed) -> None:
    """What is read together fits into one request, to the byte; what does not is left for the next read."""
    await append(feed, 1, 9)
    size = len((await feed.log.read(0, 1))[0].model_dump_json().encode())
    assert await seqs(feed, 0, 9, 3 * size) == [1, 2, 3]
    assert await seqs(feed, 0, 9, 3 * size - 1) == [1, 2]


async def test_one_large_event_is_read_alone(feed: Feed) -> None:
    """An event over the bound does not stop the line."""
    await append(feed, 1, 3)
    assert await seqs(feed, 0, 9, 1) == [1]


async def test_bytes_are_bytes(feed: Feed) -> None:
    """Text that is not ASCII is as large as it is when it is sent."""
    await append(feed, 1, 4, "\u4e2d" * 100_000)
    assert await seqs(feed, 0, 9, MIB) == [1, 2, 3]


async def test_a_read_does_not_fetch_what_it_will_not_return(feed: Feed) -> None:
    """Megabytes of large events are left on the server, however many events were asked for."""
    for first in range(1, 41, 10):
        await append(feed, first, first + 9, "x" * MIB)
    await feed.database.handle.command("profile", 2)
    # Another leader, which has appended none of them.
    assert [event.seq for event in await EventLog(feed.database).read(0, 500, MIB)] == [1]
    await feed.database.handle.command("profile", 0)
    sent = await feed.database.handle["system.profile"].find({"ns": {"$regex": "events$"}}).to_list(None)
    assert 0 < sum(each.get("responseLength", 0) for each in sent) < 17 * MIB


@pytest.mark.parametrize(("max_events", "start"), [(0, 1200), (1, 1199), (700, 500), (1200, 0), (5000, 0)])
async def test_the_history_is_bounded_by_count(feed: Feed, max_events: int, start: int) -> None:
    """It begins so many events before its end, or with the oldest one."""
    await append(feed, 1, 1210)
    assert await feed.log.history_start(1200, max_events, 100 * MIB) == start


async def test_the_history_is_bounded_by_bytes(feed: Feed) -> None:
    """It begins where its events, as they are stored, would be larger together."""
    await append(feed, 1, 9, "x" * 1000)
    [stored] = (
        await feed.database.handle["events"]
        .aggregate([{"$match": {"_id": 9}}, {"$project": {"size": {"$bsonSize": "$$ROOT"}}}])
        .to_list(1)
    )
    assert await feed.log.history_start(9, 100, 3 * stored["size"]) == 6
    assert await feed.log.history_start(9, 100, 3 * stored["size"] - 1) == 7
    assert await feed.log.history_start(9, 100, 0) == 9


async def test_the_history_begins_after_what_was_removed(feed: Feed) -> None:
    """It has no hole, whatever the oldest number is."""
    await append(feed, 1, 20)
    await feed.log.remove(8, 100)
    assert await feed.log.history_start(20, 100, MIB) == 8
    await feed.database.handle["events"].delete_one({"_id": 15})
    assert await feed.log.history_start(20, 100, MIB) == 15


async def test_an_empty_log_has_no_history(feed: Feed) -> None:
    """A new catalogue begins at 0."""
    assert await feed.log.history_start(0, 100, MIB) == 0


@pytest.mark.parametrize("minute", [0, 10, 11, 12, 57, 99, 100, 101, 500])
async def test_the_last_before_a_moment(feed: Feed, minute: int) -> None:
    """The number is found at the edges of the log, within it, and beyond it."""
    await append(feed, 1, 100)
    await feed.log.remove(10, 100)
    expected = min(max(minute - 1, 10), 100)
    assert await feed.log.last_before(BEGIN + timedelta(minutes=minute)) == expected


async def test_the_last_before_a_moment_is_found_by_small_reads(feed: Feed) -> None:
    """A log that is old as a whole is not read as a whole: a long one could not be within a deadline."""
    await append(feed, 1, 3000)
    await feed.database.handle.command("profile", 2)
    assert await feed.log.last_before(BEGIN + timedelta(days=365)) == 3000
    await feed.database.handle.command("profile", 0)
    calls: list[dict[str, Any]] = await feed.database.handle["system.profile"].find({"op": "query"}).to_list(None)
    assert 0 < sum(call["docsExamined"] for call in calls) < 30


async def test_who_has_appended_reads_without_asking(feed: Feed) -> None:
    """The relay takes the newest events from where they were made: no query for what is known."""
    await append(feed, 1, 3)
    await append(feed, 4, 6)
    await feed.database.handle.command("profile", 2)
    assert [event.seq for event in await feed.log.read(2, 500)] == [3, 4, 5, 6]
    assert feed.log.ends_at(6)
    assert await queries(feed) == 0
    assert await EventLog(feed.database).read(2, 500)
    assert await queries(feed) == 1, "another one has to ask"
    await feed.database.handle.command("profile", 0)


async def test_what_is_uncertain_is_asked_for(feed: Feed) -> None:
    """A leader whose append was refused reads what another has appended under the same number."""
    other = EventLog(feed.database)
    await append(feed, 1, 2)
    await other.append([Entry(3, "theirs", "new_product", {}, [], BEGIN, {"_data": "00"})])
    with pytest.raises(UncertainAppend):
        await append(feed, 3, 3)
    assert not feed.log.ends_at(2)
    assert [event.id for event in await feed.log.read(2, 500)] == ["theirs"]


async def test_what_was_parked_or_removed_is_not_remembered(feed: Feed) -> None:
    """What changes in the log changes for the leader, too."""
    await append(feed, 1, 3)
    await feed.log.park(2, "refused")
    assert [event.event for event in await feed.log.read(0, 500)] == ["new_product", None, "new_product"]
    await append(feed, 4, 4)
    await feed.log.remove(3, 500)
    assert [event.seq for event in await feed.log.read(0, 500)] == [4]


async def test_a_refused_append_says_why_and_nothing_of_what_was_appended(feed: Feed) -> None:
    """The reason goes into the log of the service, where no product belongs."""
    await append(feed, 1, 2)

    with pytest.raises(UncertainAppend, match=r"E11000 duplicate key.*_id: 2") as refused:
        await append(feed, 2, 3, "hunter2")

    assert "hunter2" not in str(refused.value)
