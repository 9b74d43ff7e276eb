import asyncio

import pytest

from shared.emitter_api import Batch
from shared.events import Event, Position
from tests.events import EPOCH, closing, event, history, live
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import FellBehind, Subscription, Subscriptions


@pytest.fixture
def hub() -> Hub:
    return Hub(History(1000, 10**9), Subscriptions())


@pytest.fixture
def open_hub(hub: Hub) -> Hub:
    assert hub.take(history(1, 5))
    assert hub.take(closing(5))
    return hub


def subscribe(hub: Hub, position: Position | None) -> Subscription:
    subscription = Subscription(["products"], position)
    hub.subscriptions.add(subscription)
    return subscription


def heard(hub: Hub, subscription: Subscription) -> list[int]:
    return [each.event.seq for each in subscription.next_part(hub.history)]


def test_an_emitter_that_was_just_started_has_no_position(hub: Hub) -> None:
    """The relay learns from `position: null` that the emitter has no memory."""
    assert hub.answer().model_dump() == {"epoch": None, "position": None}


def test_live_events_before_the_handover_is_closed_are_refused(hub: Hub) -> None:
    """Live events would leave a hole behind them, so that history comes first."""
    assert not hub.take(live(1, 2))
    hub.take(history(1, 2))
    assert not hub.take(live(3, 4))
    assert hub.history.last == 2


def test_the_handover_ends_with_a_position(open_hub: Hub) -> None:
    """History in one or more batches, then the position: from there on events are live."""
    assert open_hub.position == Position(EPOCH, 5)
    assert open_hub.take(live(6, 8))
    assert open_hub.position == Position(EPOCH, 8)


def test_a_handover_of_an_empty_log(hub: Hub) -> None:
    """A new catalogue opens the emitter at 0."""
    assert hub.take(closing(0))
    assert hub.take(live(1, 1))


def test_a_handover_without_history(hub: Hub) -> None:
    """An emitter that keeps no history is opened at the log's end, and recovers nobody from before."""
    assert hub.take(closing(7))
    assert hub.position == Position(EPOCH, 7)
    assert not hub.history.reaches_back_to(6, {"products"})


def test_a_handover_that_does_not_match_its_close_stays_open(hub: Hub) -> None:
    """A lost history batch cannot be papered over by the closing one."""
    hub.take(history(1, 5))
    assert not hub.take(closing(9))
    assert hub.position is None


def test_a_handover_that_is_begun_again_further_on_replaces_the_first(hub: Hub) -> None:
    """A new relay whose log begins later does not leave a hole in the middle."""
    hub.take(history(1, 5))
    assert hub.take(history(9, 12))
    assert hub.take(closing(12))
    assert not hub.history.reaches_back_to(7, {"products"})
    assert hub.history.reaches_back_to(8, {"products"})


def test_two_relays_that_hand_over_at_the_same_time_do_no_harm(hub: Hub) -> None:
    """Batches of two hand-overs, interleaved in any way, give one history without doubles."""
    for batch in (history(1, 3), history(1, 4), history(4, 6), history(5, 6)):
        assert hub.take(batch)
    assert hub.take(closing(6))
    assert [each.seq for each in hub.history.read(0, {"products"}, 10**9).events] == [1, 2, 3, 4, 5, 6]


def test_history_for_an_open_emitter_is_refused(open_hub: Hub) -> None:
    """A stale leader cannot take an emitter's memory away."""
    assert not open_hub.take(history(1, 2))
    assert not open_hub.take(closing(2))
    assert open_hub.position == Position(EPOCH, 5)


def test_what_it_has_is_ignored(open_hub: Hub) -> None:
    """A post whose answer was lost is posted again, and nobody hears it twice."""
    subscription = subscribe(open_hub, Position(EPOCH, 5))
    assert open_hub.take(live(4, 6))
    assert open_hub.take(live(4, 6))
    assert heard(open_hub, subscription) == [6]
    assert heard(open_hub, subscription) == []


def test_a_gap_is_refused_and_nothing_of_the_batch_is_taken(open_hub: Hub) -> None:
    """A gap is answered with the position; the events after it wait until it is filled."""
    assert not open_hub.take(live(7, 8))
    assert open_hub.position == Position(EPOCH, 5)


def test_a_batch_with_a_hole_is_refused_whole(open_hub: Hub) -> None:
    """Not even the part before the hole is taken."""
    assert not open_hub.take(Batch(epoch=EPOCH, events=[event(6), event(8)]))
    assert open_hub.position == Position(EPOCH, 5)


def test_live_events_of_another_epoch_are_refused(open_hub: Hub) -> None:
    """After a restore, old numbers mean nothing."""
    assert not open_hub.take(live(6, 7, epoch="e2"))


def test_a_new_epoch_starts_the_memory_anew(open_hub: Hub) -> None:
    """A restored database never looks up to date: sockets of the old epoch are cut off and come again."""
    subscription = subscribe(open_hub, Position(EPOCH, 5))
    assert open_hub.take(history(1, 2, epoch="e2"))
    assert open_hub.answer().model_dump() == {"epoch": "e2", "position": None}
    with pytest.raises(FellBehind):
        heard(open_hub, subscription)
    assert open_hub.take(closing(2, epoch="e2"))
    assert open_hub.position == Position("e2", 2)


def test_history_is_never_broadcast(hub: Hub) -> None:
    """A socket that came before the hand-over hears what is committed after it, and nothing of the past."""
    subscription = subscribe(hub, None)
    hub.take(history(1, 5))
    assert heard(hub, subscription) == []
    hub.take(closing(5))
    hub.take(live(6, 7))
    assert subscription.begun
    assert heard(hub, subscription) == [6, 7]


async def test_whoever_waits_for_the_position_is_told(hub: Hub) -> None:
    """A socket that knocks during the hand-over goes on as soon as it is closed."""
    waiting = asyncio.create_task(hub.opened())
    hub.take(history(1, 3))
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.take(closing(3))
    await asyncio.wait_for(waiting, 1)


async def test_only_those_of_the_topic_are_woken(open_hub: Hub) -> None:
    """A product of one category costs the sockets of the others nothing."""
    books, toys = (
        Subscription(["category:books"], open_hub.position),
        Subscription(["category:toys"], open_hub.position),
    )
    open_hub.subscriptions.add(books)
    open_hub.subscriptions.add(toys)
    open_hub.take(Batch(epoch=EPOCH, events=[event(6, "products", "category:books")]))
    await asyncio.wait_for(books.woken(), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(toys.woken(), 0.01)


def test_a_parked_number_counts_and_is_not_heard(open_hub: Hub) -> None:
    """The line goes on after a parked event."""
    subscription = subscribe(open_hub, Position(EPOCH, 5))
    assert open_hub.take(Batch(epoch=EPOCH, events=[Event(seq=6, event=None), event(7)]))
    assert heard(open_hub, subscription) == [7]
