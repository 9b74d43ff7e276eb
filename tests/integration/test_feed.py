import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from api_service.errors import DatabaseUnavailable
from api_service.feed import sequencer as sequencer_module
from api_service.feed.changes import open_changes
from api_service.feed.event_log import Entry, UncertainAppend
from api_service.feed.sequencer import later
from tests.integration.feed import Feed, product
from tests.waiting import eventually


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url) as feed:
        yield feed


# MongoDB's quick clock is behind by some milliseconds, on a busy machine by more.
BEHIND = timedelta(seconds=5)


def told(events: list[Any]) -> list[tuple[int, str]]:
    return [(event.seq, event.event) for event in events]


def entry(seq: int) -> Entry:
    return Entry(seq, f"id-{seq}", "new_product", {}, ["products"], datetime.now(UTC), {"_data": "00"})


async def test_each_kind_of_change_is_numbered_in_commit_order(feed: Feed) -> None:
    """What was committed is in the log: every kind of change, once, under the numbers 1, 2, 3, ..."""
    document = product(category="kitchen", version=1)
    async with feed.sequencing():
        await feed.products.insert_one(document)
        await feed.products.update_one({"_id": document["_id"]}, {"$set": {"category": "toys", "version": 2}})
        await feed.products.replace_one({"_id": document["_id"]}, {**document, "version": 3})
        await feed.products.delete_one({"_id": document["_id"]})
        events = await feed.events(4)
    assert told(events) == [
        (1, "new_product"),
        (2, "product_updated"),
        (3, "product_updated"),
        (4, "product_deleted"),
    ]
    assert "category:kitchen" in events[1].topics
    assert "category:toys" in events[1].topics
    assert events[3].payload["version"] == 3  # type: ignore[index,call-overload]  # a product


async def test_bulk_writes_of_another_program_are_told_one_by_one(feed: Feed) -> None:
    """Whatever one command changes, each product has its own event, in the order of the commits."""
    documents = [product(str(number), version=1) for number in range(100)]
    async with feed.sequencing():
        await feed.products.bulk_write([InsertOne(document) for document in documents])
        await feed.products.update_many({}, {"$set": {"category": "toys"}, "$inc": {"version": 1}})
        await feed.products.bulk_write(
            [
                ReplaceOne(
                    {"_id": documents[0]["_id"]},
                    {key: value for key, value in product("replaced", version=3).items() if key != "_id"},
                ),
                UpdateOne({"_id": documents[1]["_id"]}, {"$set": {"name": "set"}}),
                DeleteOne({"_id": documents[2]["_id"]}),
            ]
        )
        await feed.products.delete_many({})
        events = await feed.events(302)
    assert [event.seq for event in events] == list(range(1, 303))
    kinds = ["new_product"] * 100 + ["product_updated"] * 102 + ["product_deleted"] * 100
    assert [event.event for event in events] == kinds
    ids = {str(document["_id"]) for document in documents}
    assert {event.payload["id"] for event in events[202:]} == ids  # type: ignore[index,call-overload]  # products
    assert all({"category:general", "category:toys"} <= set(event.topics) for event in events[100:200])


async def test_each_update_carries_exactly_its_own_version(feed: Feed) -> None:
    """Updates in quick succession are told one by one: none is skipped, none shows a later state."""
    document = product(version=1)
    await feed.products.insert_one(document)
    for version in range(2, 30):
        await feed.products.update_one({"_id": document["_id"]}, {"$set": {"version": version}})
    async with feed.sequencing():
        events = await feed.events(29)
    assert [event.payload["version"] for event in events] == list(range(1, 30))  # type: ignore[index,call-overload]


async def test_what_was_rolled_back_is_never_told(feed: Feed) -> None:
    """A transaction that is aborted leaves no event; one that commits leaves all of its own."""
    client = feed.database.client
    async with feed.sequencing():
        async with await client.start_session() as session:
            session.start_transaction()
            await feed.products.insert_one(product("never"), session=session)
            await session.abort_transaction()
            async with session.start_transaction():
                await feed.products.insert_many([product("one"), product("two")], session=session)
        events = await feed.events(2)
    assert [event.payload["name"] for event in events] == ["one", "two"]  # type: ignore[index,call-overload]


async def test_what_was_created_while_nobody_led_is_told_later(feed: Feed) -> None:
    """The change stream is the outbox: a catalogue without a leader loses nothing, from its very first product on."""
    await feed.products.insert_many([product(str(number)) for number in range(1200)])
    async with feed.sequencing():
        events = await feed.events(1200)
    assert [event.seq for event in events] == list(range(1, 1201))
    assert [event.payload["name"] for event in events] == [str(number) for number in range(1200)]  # type: ignore[index,call-overload]


async def test_a_successor_goes_on_where_the_log_ends(feed: Feed) -> None:
    """A new leader neither repeats nor skips what its predecessor had numbered."""
    async with feed.sequencing():
        await feed.products.insert_many([product() for _ in range(5)])
        await feed.events(5)
    await feed.products.insert_many([product() for _ in range(5)])
    async with feed.sequencing():
        await feed.products.insert_many([product() for _ in range(5)])
        events = await feed.events(15)
    assert [event.seq for event in events] == list(range(1, 16))
    assert len({event.id for event in events}) == 15


async def test_two_that_both_believe_to_lead_do_no_harm(feed: Feed, database_url: str) -> None:
    """Two sequencers at the same time give every change one number, without gaps and doubles."""
    async with Feed.open(database_url, "api-2") as other, feed.sequencing(), other.sequencing():
        for number in range(0, 300, 3):
            await feed.products.insert_many([product(str(number + each)) for each in range(3)])
        events = await feed.events(300)
        # Whoever was second has noticed, too, and adds nothing.
        await feed.products.insert_one(product("last"))
        events = await feed.events(301)
    assert [event.seq for event in events] == list(range(1, 302))
    assert [event.payload["name"] for event in events] == [*map(str, range(300)), "last"]  # type: ignore[index,call-overload]


async def test_documents_that_are_no_products_do_not_stop_the_line(feed: Feed) -> None:
    """They are passed over without a number, even those that a driver chokes on."""
    async with feed.sequencing():
        await feed.products.insert_one({"_id": "sku-1", "name": "no ObjectId", "price": 1})
        await feed.products.insert_one({"name": "no price"})
        await feed.products.insert_one(product("before"))
        await feed.database.handle.command(
            "insert",
            "products",
            documents=[{**product("far future"), "updated_at": datetime(9999, 12, 31, tzinfo=UTC)}],
        )
        await feed.products.update_one({"name": "far future"}, [{"$set": {"updated_at": _beyond_year_9999()}}])
        await feed.products.insert_one(product("after"))
        events = await feed.events(4)
    names = [(event.event, event.payload["name"]) for event in events]  # type: ignore[index,call-overload]
    assert names == [
        ("new_product", "before"),
        ("new_product", "far future"),
        ("product_deleted", "far future"),
        ("new_product", "after"),
    ]


def _beyond_year_9999() -> dict[str, Any]:
    return {"$dateAdd": {"startDate": datetime(9999, 12, 31, tzinfo=UTC), "unit": "year", "amount": 5}}


async def test_a_large_document_is_refused_and_a_large_past_does_not_end_the_stream(feed: Feed) -> None:
    """The collection takes no product over 1 MiB; one that got in before is dropped from the events, not the line."""
    with pytest.raises(Exception, match="Document failed validation"):
        await feed.products.insert_one(product(description="x" * 2_000_000))
    large = product("large", description="x" * 9_000_000)
    async with feed.sequencing():
        await feed.products.insert_one(large, bypass_document_validation=True)
        await feed.products.update_one(
            {"_id": large["_id"]}, {"$set": {"description": "y" * 9_000_000}}, bypass_document_validation=True
        )
        await feed.products.delete_one({"_id": large["_id"]})
        await feed.products.insert_one(product("small"))
        events = await feed.events(2)
    assert told(events) == [(1, "product_deleted"), (2, "new_product")]
    assert events[0].payload == {"id": str(large["_id"])}


async def test_a_dropped_collection_is_loud_and_the_line_goes_on(feed: Feed) -> None:
    """`invalidate` becomes a numbered resync; the collection is made again with images, and later products are told."""
    async with feed.sequencing():
        await feed.products.insert_one(product("old"))
        await feed.events(1)
        await feed.products.drop()
        await feed.events(2)
        document = product("new", version=1)
        await feed.products.insert_one(document)

        async def images_are_kept() -> bool:
            found = await feed.database.handle.list_collections(filter={"name": "products"})
            [options] = await found.to_list(1)
            return bool(options["options"].get("changeStreamPreAndPostImages", {}).get("enabled"))

        await eventually(images_are_kept, message="the collection has its options again")
        await feed.products.delete_one({"_id": document["_id"]})
        events = await feed.events(4)
    assert told(events) == [(1, "new_product"), (2, "resync"), (3, "new_product"), (4, "product_deleted")]
    assert events[1].topics == ("*",)


async def test_a_token_that_leads_nowhere_is_loud_and_the_line_goes_on(feed: Feed) -> None:
    """What cannot be resumed becomes one numbered resync, and from there on every change is told."""
    async with feed.sequencing():
        await feed.products.insert_one(product())
        await feed.events(1)
    async with feed.database.handle["other"].watch() as stream:
        await feed.database.handle["other"].insert_one({})
        lost = (await stream.next())["_id"]  # no change of a product: it is not found when the stream is resumed
    await feed.database.handle["events"].update_one({"_id": 1}, {"$set": {"token": lost}})
    await feed.database.handle["feed"].update_one({}, {"$set": {"checkpoint": lost}})
    async with feed.sequencing():
        await feed.products.insert_one(product("unseen: the server only now finds that the token is none"))
        await feed.events(2)
        await feed.products.insert_one(product("seen"))
        events = await feed.events(3)
    assert told(events) == [(1, "new_product"), (2, "resync"), (3, "new_product")]
    assert events[2].payload["name"] == "seen"  # type: ignore[index,call-overload]


async def test_a_quiet_catalogue_keeps_its_place_by_checkpoints(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint moves on beside other traffic, so that a quiet catalogue's token does not leave the oplog."""
    monkeypatch.setattr(sequencer_module, "CHECKPOINT_EVERY_S", 0.0)
    state = await feed.lease.take()
    assert state is not None
    async with feed.sequencing():
        await feed.database.handle["other"].insert_many([{"n": number} for number in range(100)])

        async def moved_on() -> bool:
            now = await feed.lease.renew(None)
            return now is not None and now.checkpoint["_data"] > state.checkpoint["_data"]

        await eventually(moved_on, message="the checkpoint moves on")


async def test_an_append_under_a_taken_number_is_no_success(feed: Feed) -> None:
    """The log's unique key is the fence: whoever comes second has to read the end again."""
    await feed.log.append([entry(1), entry(2)])
    with pytest.raises(UncertainAppend):
        await feed.log.append([entry(2), entry(3)])
    assert (await feed.log.end()).seq == 2


async def test_after_an_uncertain_append_the_end_of_the_log_is_read_again(feed: Feed) -> None:
    """An append that was stored although its answer was lost is neither repeated nor skipped."""
    append = feed.log.append
    lost = asyncio.Event()

    async def append_and_lose_the_answer(entries: list[Entry]) -> None:
        await append(entries)
        if not lost.is_set():
            lost.set()
            raise DatabaseUnavailable("the answer was lost")

    feed.log.append = append_and_lose_the_answer  # type: ignore[method-assign,assignment]  # the network cannot be cut at this very point on demand
    async with feed.sequencing():
        await feed.products.insert_many([product(str(number)) for number in range(10)])
        await asyncio.wait_for(lost.wait(), 30)
        await feed.products.insert_one(product("last"))
        events = await feed.events(11)
    assert [event.seq for event in events] == list(range(1, 12))
    assert len({event.id for event in events}) == 11


def test_the_later_of_two_tokens_counts() -> None:
    """Resuming from the earlier one would be slow, or impossible where it has left the oplog."""
    assert later({"_data": "02"}, {"_data": "01"}) == {"_data": "02"}
    assert later({"_data": "01"}, {"_data": "02"}) == {"_data": "02"}
    assert later(None, {"_data": "01"}) == {"_data": "01"}


async def test_times_are_those_of_the_commit(feed: Feed) -> None:
    """An event's time is when the change was committed, not when somebody numbered it."""
    before = datetime.now(UTC)
    await feed.products.insert_one(product())
    after = datetime.now(UTC)
    async with feed.sequencing():
        [event] = await feed.events(1)
    assert before - BEHIND <= datetime.fromisoformat(event.time) <= after


async def test_a_change_whose_image_was_not_kept_is_loud(feed: Feed) -> None:
    """A program that switched the images off makes one resync for each such change; later changes are told again."""
    document = product()
    async with feed.sequencing():
        await feed.products.insert_one(document)
        await feed.events(1)
        await feed.database.handle.command("collMod", "products", changeStreamPreAndPostImages={"enabled": False})
        await feed.products.update_one({"_id": document["_id"]}, {"$set": {"version": 2}})
        await feed.events(2)
        await feed.prepare()
        await feed.products.update_one({"_id": document["_id"]}, {"$set": {"version": 3}})
        events = await feed.events(3)
    assert told(events) == [(1, "new_product"), (2, "resync"), (3, "product_updated")]


async def test_the_feed_resumes_from_its_newest_checkpoint(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader of many days on a quiet catalogue resumes from its last checkpoint, not from that of its beginning."""
    monkeypatch.setattr(sequencer_module, "CHECKPOINT_EVERY_S", 0.0)
    resumed: list[str] = []

    def note(database: Any, token: Any) -> Any:
        resumed.append(token["_data"])
        return open_changes(database, token)

    monkeypatch.setattr(sequencer_module, "open_changes", note)
    async with feed.sequencing():
        await feed.database.handle["other"].insert_many([{"n": number} for number in range(100)])

        async def moved_on() -> bool:
            now = await feed.lease.renew(None)
            return now is not None and bool(resumed) and now.checkpoint["_data"] > resumed[0]

        await eventually(moved_on, message="the checkpoint moves on")
        await feed.products.drop()
        await eventually(lambda: len(resumed) > 1, message="the stream is opened again")
    assert resumed[1] > resumed[0]


async def test_a_document_that_cannot_be_stored_as_an_event_does_not_stop_the_line(feed: Feed) -> None:
    """Numbers that BSON or memory cannot hold are no product's."""
    async with feed.sequencing():
        await feed.products.insert_one(product(stock="9" * 30))
        await feed.products.insert_one(product(price="1E+999999999"))
        await feed.products.insert_one(product(version=2**60))
        await feed.products.insert_one(product("last"))
        [event] = await feed.events(1)
    assert event.payload["name"] == "last"  # type: ignore[index,call-overload]


async def test_a_product_that_becomes_something_else_is_told_as_gone(feed: Feed) -> None:
    """A program that takes a product's price away takes it out of the catalogue."""
    document = product()
    async with feed.sequencing():
        await feed.products.insert_one(document)
        await feed.products.update_one({"_id": document["_id"]}, {"$unset": {"price": 1}})
        events = await feed.events(2)
    assert told(events) == [(1, "new_product"), (2, "product_deleted")]


async def test_much_other_traffic_since_the_token_is_no_failure(feed: Feed) -> None:
    """However much else was written while nobody led, the stream is opened, and is given time to get through it."""
    for _ in range(20):
        await feed.database.handle["other"].insert_many([{"n": number} for number in range(10_000)])
    await feed.products.insert_one(product("after all that"))
    async with feed.sequencing():
        [event] = await feed.events(1)
    assert event.payload["name"] == "after all that"  # type: ignore[index,call-overload]
