from collections.abc import Callable, Sequence
from functools import cache

import pytest

from shared.emitter_api import Batch
from shared.events import Event, Position
from tests.events import EPOCH, closing, entry, event, history, live
from tests.session import Delivered, Session, Welcome
from tests.unit.exploring import Choose, every_run
from ws_service import metrics
from ws_service.engine.packets import encode_part
from ws_service.ingest import history as history_module
from ws_service.ingest import hub as hub_module
from ws_service.ingest import subscriptions
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.outgoing import Note, Outgoing, Part
from ws_service.ingest.subscriptions import Subscriptions
from ws_service.sockets.connection import Connection
from ws_service.sockets.recovery import Start

TOPICS = frozenset({"products"})


class Socket:
    """A connection, and what its client is sent."""

    def __init__(self, hub: Hub, place: Position | None, topics: frozenset[str] = TOPICS) -> None:
        self.received: list[Welcome | Delivered] = []
        self.session = Session(self.received.append)
        self.connection = self.session.sender = Connection("sid", self.session, hub, "node")
        self.session.closed = self.connection.end
        recovered = place is not None and place != hub.position
        self.connection.begin(topics, Start(place, recovered=recovered, pid="pid"))

    def turns(self) -> None:
        """Let turns of the loop pass until nothing is to be done."""
        while self.session.is_due:
            self.session.turn()

    @property
    def heard(self) -> list[int]:
        """The numbers of all that was sent."""
        return [each.event.seq for each in self.received if isinstance(each, Delivered)]

    @property
    def welcomes(self) -> list[Welcome]:
        """The greetings."""
        return [each for each in self.received if isinstance(each, Welcome)]


@pytest.fixture(autouse=True)
def as_many_turns_as_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a replay come event by event."""
    monkeypatch.setattr(subscriptions, "CHUNK_BYTES", 1)


def empty_hub(max_events: int = 1000) -> Hub:
    return Hub(History(max_events, 10**9), Subscriptions())


@cache
def handover(last: int) -> list[Batch]:
    return [history(1, last), closing(last)]


def open_hub(last: int, max_events: int = 1000) -> Hub:
    hub = empty_hub(max_events)
    for batch in handover(last):
        assert hub.take(batch)
    return hub


def at(seq: int) -> Position:
    return Position(EPOCH, seq)


def cut_off() -> float:
    return float(metrics.cut_off.labels("behind")._value.get())  # noqa: SLF001  # its client has no way to read one


def test_the_welcome_comes_before_what_was_missed() -> None:
    """A client that comes back is told first where it is and how much follows, then what it missed, in order."""
    socket = Socket(open_hub(5), at(2))
    assert socket.received == [], "nothing goes before the CONNECT answer"
    socket.connection.greet()
    socket.turns()
    assert socket.received[0] == Welcome(at(5), recovered=True, replayed=3)
    assert socket.heard == [3, 4, 5]


def test_what_comes_between_the_handshake_and_the_greeting_follows_it() -> None:
    """A batch that is taken before the CONNECT answer was sent is not lost, and not sent before it."""
    hub = open_hub(5)
    socket = Socket(hub, at(5))
    hub.take(live(6, 6))
    socket.session.turn()
    assert socket.received == []
    socket.connection.greet()
    socket.turns()
    assert socket.heard == [6]


def test_a_replay_gives_way_after_each_part() -> None:
    """A long replay does not keep the others waiting: one part, then a turn of the loop for everyone else."""
    socket = Socket(open_hub(3), at(0))
    socket.connection.greet()
    heard = [len(socket.heard)]
    while socket.session.is_due:
        socket.session.turn()
        heard.append(len(socket.heard))
    assert heard == [1, 2, 3, 3]


def test_who_lacks_nothing_costs_no_turn() -> None:
    """An idle or a quick client has nothing to be done in the loop: it is written to when an event comes."""
    hub = open_hub(5)
    socket = Socket(hub, at(5))
    socket.connection.greet()
    assert not socket.session.is_due
    hub.take(live(6, 7))
    assert socket.heard == [6, 7]
    assert not socket.session.is_due


def test_who_is_woken_twice_reads_once_a_turn() -> None:
    """However often a socket is woken in a turn of the loop, it takes one part in the next."""
    socket = Socket(open_hub(5), at(0))
    socket.connection.greet()
    socket.connection.wake()
    socket.connection.wake()
    socket.session.turn()
    assert socket.heard == [1, 2]


def test_what_is_the_same_for_many_is_encoded_once() -> None:
    """The same bytes serve every socket that is live on the same topics."""
    hub = open_hub(0)
    one, other = Socket(hub, at(0)), Socket(hub, at(0))
    part = Part([Outgoing(entry(1), f"{EPOCH}:1")])
    one.connection.write(part)
    encoded = part.form(encode_part)
    other.connection.write(part)
    assert part.form(encode_part) is encoded
    assert one.received == other.received != []


def test_a_message_without_a_number_is_sent_at_once() -> None:
    """What has no number waits for nothing but what its transport has been given before."""
    socket = Socket(open_hub(2), at(0))
    socket.connection.greet()
    socket.connection.send(Note("welcome", b'{"position":null,"recovered":false,"replayed":7}'))
    socket.turns()
    assert socket.heard == [1, 2]
    assert socket.received[2] == Welcome(None, recovered=False, replayed=7)


def test_nothing_is_read_for_a_full_transport() -> None:
    """A slow reader costs no memory: what it has not taken yet stays in the history that all share."""
    hub = open_hub(4)
    socket = Socket(hub, at(0))
    socket.session.room = 2  # the welcome and one event
    socket.connection.greet()
    socket.turns()
    hub.take(live(5, 6))
    socket.turns()
    assert socket.heard == [1]
    socket.session.drain()
    socket.turns()
    assert socket.heard == [1, 2, 3, 4, 5, 6]


def test_who_falls_behind_is_closed_and_counted() -> None:
    """A client that cannot be sent what it lacks is closed at once: it comes back, and is told to read anew."""
    hub = open_hub(5, max_events=5)
    socket = Socket(hub, at(5))
    socket.connection.greet()
    socket.session.fill()
    before = cut_off()
    hub.take(live(6, 12))
    socket.session.drain()
    socket.turns()
    assert socket.session.is_closed
    assert socket.heard == []
    assert cut_off() == before + 1
    assert hub.subscriptions.everyone() == set()


def test_who_cannot_be_read_for_is_closed() -> None:
    """Whatever goes wrong while a socket is read for ends that one socket, and its client comes back."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    hub = open_hub(5)
    socket = Socket(hub, at(2))
    hub.history.read = broken  # type: ignore[assignment,method-assign]  # a fault of ours that nobody knows yet
    socket.connection.greet()
    assert socket.session.is_closed
    assert hub.subscriptions.everyone() == set()


def test_a_socket_that_has_gone_is_written_nothing() -> None:
    """A turn of the loop that comes after the end of its socket does nothing."""
    hub = open_hub(5)
    socket = Socket(hub, at(2))
    socket.connection.greet()
    socket.connection.end()
    hub.take(live(6, 6))
    socket.turns()
    assert socket.heard == [3]


# What may happen between two turns of the loop, each at most as often as it stands there.
BATCHES = ["batch", "batch", "batch"]
ROOM = ["fill", "drain"]
ROOM_BY_A_WRITE = ["fill with the next", "drain"]


def test_a_parked_event_with_topics_is_sent_to_nobody() -> None:
    """Its number is taken; a poll is not answered with nothing for it."""
    hub = open_hub(0)
    socket = Socket(hub, at(0))
    socket.connection.greet()
    parked = Event(seq=1, event=None, topics=("products",))
    assert hub.take(Batch(epoch=EPOCH, events=[parked]))
    assert hub.take(live(2, 2))
    assert socket.heard == [2]


def test_a_wake_for_nothing_takes_nobody_for_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is live lacks nothing, however long its topic was quiet and whatever was forgotten meanwhile."""
    monkeypatch.setattr(history_module, "MAX_DROPPED_TOPICS", 2)
    hub = open_hub(0, max_events=2)
    socket = Socket(hub, at(0), frozenset({"category:quiet"}))
    socket.connection.greet()
    for seq in range(1, 12):
        assert hub.take(Batch(epoch=EPOCH, events=[event(seq, f"product:{seq}")]))
    socket.connection.wake()
    socket.turns()
    assert not socket.session.is_closed


def happen(socket: Socket, wanted: Sequence[str], batch: Callable[[], None], choose: Choose[str]) -> None:
    """Go through turns of the loop, with all that is wanted in any order and at any point between them."""
    rest = list(wanted)
    while rest or socket.session.is_due:
        turn = ["turn"] if socket.session.is_due else []
        room = "drain" if "drain" in rest and socket.session.is_full else None
        options = [*turn, *dict.fromkeys(each for each in rest if each != "drain" or room)]
        if not options:  # it was never full
            break
        match choose(options):
            case "turn":
                socket.session.turn()
                continue
            case "batch":
                batch()
                rest.remove("batch")
            case "drain":
                socket.session.drain()
                rest.remove("drain")
            case how:
                rest.remove(how)
                if how == "fill":
                    socket.session.fill()
                else:
                    socket.session.room = 1
    if socket.session.is_full:  # nothing else may wake it
        socket.session.drain()
    socket.turns()


@cache
def live_event(seq: int) -> Batch:
    return live(seq, seq)


def committing(hub: Hub) -> Callable[[], None]:
    return lambda: assert_taken(hub, live_event(hub.history.last + 1))


def assert_taken(hub: Hub, batch: Batch) -> None:
    assert hub.take(batch)


@pytest.fixture(params=["given at once", "read by each"])
def _size_of_a_batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have batches be small enough to be given to who is live, or too large for it."""
    if request.param == "read by each":
        monkeypatch.setattr(hub_module, "CHUNK_BYTES", 1)


@pytest.mark.usefixtures("_size_of_a_batch", "untraced")
@pytest.mark.parametrize("room", [ROOM, ROOM_BY_A_WRITE])
def test_nothing_can_come_between_a_replay_and_what_is_live(room: list[str]) -> None:
    """Events come while a client reads what it missed, and its transport is full for a while: each once, in order."""

    def run(choose: Choose[str]) -> None:
        hub = open_hub(4)
        socket = Socket(hub, at(0))
        socket.connection.greet()
        happen(socket, [*BATCHES, *room], committing(hub), choose)
        assert socket.heard == [1, 2, 3, 4, 5, 6, 7]
        hub.take(live(8, 8))
        socket.turns()
        assert socket.heard == [1, 2, 3, 4, 5, 6, 7, 8]

    assert every_run(run) > 500


@pytest.mark.usefixtures("_size_of_a_batch", "untraced")
def test_nothing_can_come_between_being_full_and_what_is_live() -> None:
    """A live client's transport is full twice while events come, at any moment of it: each once, in order."""

    def run(choose: Choose[str]) -> None:
        hub = open_hub(1)
        socket = Socket(hub, at(1))
        socket.connection.greet()
        happen(socket, [*BATCHES, *ROOM, *ROOM_BY_A_WRITE], committing(hub), choose)
        hub.take(live(5, 5))
        socket.turns()
        assert socket.heard == [2, 3, 4, 5]

    assert every_run(run) > 500


@pytest.mark.usefixtures("_size_of_a_batch", "untraced")
def test_nothing_can_come_between_a_topics_past_and_what_is_live() -> None:
    """A client asks for the past of a topic while events of it come: all of the past first, each once, in order."""

    def run(choose: Choose[str]) -> None:
        hub = open_hub(3)
        socket = Socket(hub, at(3), frozenset({"category:toys"}))
        socket.connection.greet()
        sent = hub.subscriptions.join(socket.connection.subscription, {"products"}, hub.history.last, after=0)
        happen(socket, [*BATCHES, *ROOM], committing(hub), choose)
        assert sent is not None
        assert sent.is_set()
        assert socket.heard == [1, 2, 3, 4, 5, 6]
        assert [str(each.offset) for each in socket.received if isinstance(each, Delivered)] == [
            *[f"{EPOCH}:3"] * 3,
            *[f"{EPOCH}:{seq}" for seq in (4, 5, 6)],
        ]

    assert every_run(run) > 500


@pytest.mark.usefixtures("_size_of_a_batch", "untraced")
def test_nothing_can_come_between_the_handover_and_what_is_live() -> None:
    """A client knocks at an emitter without memory: it is told twice where it is, and hears what came since, once."""

    def run(choose: Choose[str]) -> None:
        hub = empty_hub()
        socket = Socket(hub, None)
        socket.connection.greet()
        batches = iter([*handover(2), live_event(3), live_event(4)])
        happen(socket, ["batch"] * 4 + ROOM, lambda: assert_taken(hub, next(batches)), choose)
        assert socket.heard == [3, 4]
        first, second = socket.welcomes
        assert first == Welcome(None, recovered=False, replayed=0)
        assert second.position is not None
        assert not second.recovered
        assert socket.received.index(second) == 1, "before any event"

    assert every_run(run) > 100


@pytest.mark.usefixtures("_size_of_a_batch", "untraced")
def test_nothing_can_come_between_being_ahead_and_what_is_live() -> None:
    """A client that is ahead of its emitter hears nothing twice while that catches up, whenever it has no room."""

    def run(choose: Choose[str]) -> None:
        hub = open_hub(1)
        socket = Socket(hub, at(3))
        socket.connection.greet()
        happen(socket, ["batch", *BATCHES, *ROOM], committing(hub), choose)
        hub.take(live(6, 6))
        socket.turns()
        assert socket.heard == [4, 5, 6]

    assert every_run(run) > 100
