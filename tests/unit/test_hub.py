import asyncio

import pytest

from shared.emitter_api import Batch
from shared.events import Event, Position
from tests.events import EPOCH, closing, event, history, live
from tests.unit.reader import Reader
from ws_service.ingest import hub as module
from ws_service.ingest.entry import Entry, Unencodable
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


class Socket:
    """A socket that has been sent all there was when it came."""

    def __init__(self, hub: Hub, position: Position | None, *topics: str) -> None:
        self.reader = Reader()
        self.subscription = Subscription(topics or ["products"], position, self.reader)
        self._hub = hub
        hub.subscriptions.add(self.subscription)
        self.read_on()

    def read_on(self) -> list[int]:
        """Have it read all there is; return the numbers of all that it has heard."""
        while self.reader.read_on(self.subscription, self._hub.history):
            pass
        return self.reader.numbers


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
    socket = Socket(open_hub, Position(EPOCH, 5))
    assert open_hub.take(live(4, 6))
    assert open_hub.take(live(4, 6))
    assert socket.reader.numbers == [6]
    assert socket.read_on() == [6]


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
    socket = Socket(open_hub, Position(EPOCH, 5))
    assert open_hub.take(history(1, 2, epoch="e2"))
    assert open_hub.answer().model_dump() == {"epoch": "e2", "position": None}
    assert socket.reader.is_woken
    with pytest.raises(FellBehind):
        socket.read_on()
    assert open_hub.take(closing(2, epoch="e2"))
    assert open_hub.position == Position("e2", 2)


def test_history_is_never_broadcast(hub: Hub) -> None:
    """A socket that came before the hand-over hears what is committed after it, and nothing of the past."""
    socket = Socket(hub, None)
    hub.take(history(1, 5))
    assert socket.read_on() == []
    hub.take(closing(5))
    hub.take(live(6, 7))
    assert socket.subscription.begun
    assert socket.read_on() == [6, 7]


async def test_whoever_waits_for_the_position_is_told(hub: Hub) -> None:
    """A socket that knocks during the hand-over goes on as soon as it is closed."""
    waiting = asyncio.create_task(hub.opened())
    hub.take(history(1, 3))
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.take(closing(3))
    await asyncio.wait_for(waiting, 30)


def test_only_those_of_the_topic_are_told(open_hub: Hub) -> None:
    """A product of one category costs the sockets of the others nothing."""
    books = Socket(open_hub, open_hub.position, "category:books")
    toys = Socket(open_hub, open_hub.position, "category:toys")
    open_hub.take(Batch(epoch=EPOCH, events=[event(6, "products", "category:books")]))
    assert books.reader.numbers == [6]
    assert toys.reader.parts == []
    assert not toys.reader.is_woken


def test_a_batch_is_given_at_once_and_together(open_hub: Hub) -> None:
    """Who lacks nothing is written a batch before the relay is answered, each event with its own offset."""
    socket = Socket(open_hub, open_hub.position)
    open_hub.take(live(6, 8))
    (part,) = socket.reader.parts
    assert [each.offset for each in part.events] == [f"{EPOCH}:6", f"{EPOCH}:7", f"{EPOCH}:8"]


def test_a_large_batch_is_not_written_to_everyone_at_once(open_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait in the transports of all who are slow: each reads it as its own transport takes it."""
    monkeypatch.setattr(module, "CHUNK_BYTES", sum(Entry.of(each).size for each in live(6, 7).events))
    socket = Socket(open_hub, open_hub.position)
    open_hub.take(live(6, 7))
    assert socket.reader.numbers == [6, 7]
    open_hub.take(live(8, 10))
    assert socket.reader.numbers == [6, 7]
    assert socket.reader.is_woken
    assert socket.read_on() == [6, 7, 8, 9, 10]
    open_hub.take(live(11, 11))
    assert socket.reader.numbers == [6, 7, 8, 9, 10, 11]


def test_a_payload_that_cannot_be_sent_on_is_refused_and_nothing_of_the_batch_is_taken(open_hub: Hub) -> None:
    """The relay learns which number it is, and nobody has heard what came before it."""
    socket = Socket(open_hub, open_hub.position)
    with pytest.raises(Unencodable, match="event 7: payload: Integer exceeds 64-bit range"):
        open_hub.take(Batch(epoch=EPOCH, events=[event(6), event(7, payload=2**64)]))
    assert open_hub.position == Position(EPOCH, 5)
    assert socket.read_on() == []


def test_a_parked_number_counts_and_is_not_heard(open_hub: Hub) -> None:
    """The line goes on after a parked event."""
    socket = Socket(open_hub, Position(EPOCH, 5))
    assert open_hub.take(Batch(epoch=EPOCH, events=[Event(seq=6, event=None), event(7)]))
    assert open_hub.take(Batch(epoch=EPOCH, events=[Event(seq=8, event=None)]))
    assert [len(part.events) for part in socket.reader.parts] == [1]
    assert socket.read_on() == [7]
