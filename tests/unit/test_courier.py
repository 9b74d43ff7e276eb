import pytest

from shared.emitter_api import Acknowledgement, Reached, Recipient
from shared.events import EVERYONE
from shared.serving.http.errors import Unavailable
from tests.unit.reader import Reader
from ws_service.ingest.member import Member
from ws_service.ingest.subscriptions import Subscription, Subscriptions
from ws_service.messages import acknowledgements
from ws_service.messages.acknowledgements import Acknowledgements
from ws_service.messages.courier import LocalCourier, merge
from ws_service.messages.dispatch import Dispatch


class Emitter:
    """A courier, and readers for clients."""

    def __init__(self, max_answer_bytes: int = 1000) -> None:
        self.acknowledgements = Acknowledgements(max_answer_bytes)
        self.subscriptions = Subscriptions()
        self.courier = LocalCourier(self.subscriptions, self.acknowledgements, "emitter-1")

    def connect(self, sid: str, user: str | None = None, *topics: str, acknowledges: bool = True) -> Reader:
        """Add a socket, and return what it hears."""
        reader = Reader()
        self.subscriptions.add(Subscription(topics, None, reader, Member(sid, user, acknowledges)))
        return reader


def to(*names: str, ack_timeout_ms: int | None = None) -> Dispatch:
    return Dispatch("hello", b"1", to=names, ack_timeout_ms=ack_timeout_ms)


def recipient(sid: str, node: str = "emitter-1") -> Recipient:
    return Recipient(sid=sid, node=node, user=None)


async def test_a_message_is_written_before_deliver_returns() -> None:
    """So that the order in which messages are heard is that in which they were given to the courier."""
    emitter = Emitter()
    reader = emitter.connect("a", "ann")
    emitter.courier.deliver(to("user:ann"))
    emitter.courier.deliver(Dispatch("second", b"2", b'{"n":1}'))
    assert [(note.event, note.payload, note.meta, note.ack) for note in reader.messages] == [
        ("hello", b"1", b"{}", None),
        ("second", b"2", b'{"n":1}', None),
    ]


async def test_each_socket_once_and_who_is_missing() -> None:
    """A socket that several names lead to is sent it once; a name that leads nowhere is said, once."""
    emitter = Emitter()
    ann = emitter.connect("a", "ann", "products")
    both = emitter.connect("b", "ann")
    names = ("user:ann", "device:ann", "products", "user:bob", "nothing", "user:bob")
    assert await emitter.courier.send(to(*names)) == Reached(reached=2, not_connected=["user:bob", "nothing"])
    assert (len(ann.messages), len(both.messages)) == (1, 1)
    assert await emitter.courier.send(to(EVERYONE)) == Reached(reached=2, not_connected=[])
    assert await emitter.courier.send(to()) == Reached(reached=0, not_connected=[])


async def test_a_room_is_no_topic() -> None:
    """A numbered event for a topic that is called like a room is not heard in the room."""
    emitter = Emitter()
    emitter.connect("a", "ann")
    assert emitter.subscriptions.of(["user:ann", "device:ann"]) == set()


async def test_who_leaves_is_in_no_room() -> None:
    """A device that has gone is not connected, and leaves nothing behind."""
    emitter = Emitter()
    reader = Reader()
    subscription = Subscription((), None, reader, Member("a", "ann", acknowledges=True))
    emitter.subscriptions.add(subscription)
    emitter.subscriptions.remove(subscription)
    assert await emitter.courier.send(to("user:ann")) == Reached(reached=0, not_connected=["user:ann"])
    assert not emitter.subscriptions._in  # noqa: SLF001  # what it would leave is seen nowhere else


async def test_the_answer_comes_with_the_last_acknowledgement() -> None:
    """All sockets are asked under one number; who cannot answer, as a stream of events, is not waited for."""
    emitter = Emitter()
    readers = [emitter.connect("a", "ann"), emitter.connect("b", "ann")]
    emitter.connect("stream", "ann", acknowledges=False)
    delivery = emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
    [number] = {reader.messages[0].ack for reader in readers}
    emitter.acknowledgements.take("b", number, ["done", {"n": 1}])
    emitter.acknowledgements.take("a", number, [])
    answer = await delivery.answer()
    assert answer.acks is not None
    assert answer.unacknowledged is not None
    assert {ack.sid: ack.answer for ack in answer.acks} == {"a": [], "b": ["done", {"n": 1}]}
    assert [each.sid for each in answer.unacknowledged] == ["stream"]


async def test_what_nobody_waits_for_is_ignored() -> None:
    """An unknown number, a socket that was not asked, a second answer and a late one change nothing."""
    emitter = Emitter()
    emitter.connect("a", "ann")
    emitter.connect("b", "ann")
    delivery = emitter.courier.deliver(to("user:ann", ack_timeout_ms=20))
    for sid, number, argument in [("a", 7, 1), ("stranger", 0, 2), ("a", 0, 3), ("a", 0, 4)]:
        emitter.acknowledgements.take(sid, number, [argument])
    answer = await delivery.answer()
    emitter.acknowledgements.take("b", 0, [5])
    assert [(ack.sid, ack.answer) for ack in answer.acks or ()] == [("a", [3])]
    assert [each.sid for each in answer.unacknowledged or ()] == ["b"]


async def test_who_goes_is_not_waited_for() -> None:
    """A minute is not waited out for a socket that cannot answer any more."""
    emitter = Emitter()
    emitter.connect("a", "ann")
    delivery = emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
    emitter.acknowledgements.forget("a")
    assert (await delivery.answer()).unacknowledged == [Recipient(sid="a", node="emitter-1", user="ann")]


@pytest.mark.parametrize(
    "argument", ["x" * 1000, [[[]]] * 400, b"x" * 800, 2**64], ids=["long", "wide", "binary", "number"]
)
async def test_an_answer_that_is_too_much_is_none(argument: object) -> None:
    """What one client sends does not cost the others their answers."""
    emitter = Emitter()
    emitter.connect("a", "ann")
    emitter.connect("b", "ann")
    delivery = emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
    emitter.acknowledgements.take("a", 0, [argument])
    emitter.acknowledgements.take("b", 0, [b"\0\1"])
    answer = await delivery.answer()
    assert [(ack.sid, ack.answer) for ack in answer.acks or ()] == [("b", [{"base64": "AAE="}])]
    assert [each.sid for each in answer.unacknowledged or ()] == ["a"]


@pytest.mark.parametrize("levels", [64, 65, 5000])
async def test_an_answer_that_is_nested_too_deeply_is_none(levels: int) -> None:
    """Not every reader of JSON goes as deep as a hostile client."""
    nested: object = None
    for _ in range(levels - 1):
        nested = [nested]
    emitter = Emitter(10_000_000)
    emitter.connect("a", "ann")
    delivery = emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
    emitter.acknowledgements.take("a", 0, [nested])
    answer = await delivery.answer()
    assert len(answer.acks or ()) == (levels <= 64)
    assert Reached.model_validate_json(answer.model_dump_json()) == answer


async def test_the_answers_that_are_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many clients with long answers do not fill the memory; once a message is answered there is room again."""
    monkeypatch.setattr(acknowledgements, "MAX_HELD_BYTES", 1500)
    emitter = Emitter()
    for sid in ("a", "b"):
        emitter.connect(sid, "ann")
    for number in range(2):
        delivery = emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
        for sid in ("a", "b"):
            emitter.acknowledgements.take(sid, number, ["x" * 900])
        assert len((await delivery.answer()).acks or ()) == 1


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound nothing is sent, and the caller is told to try again; then there is room again."""
    monkeypatch.setattr(acknowledgements, "MAX_WAITING", 2)
    emitter = Emitter()
    reader = emitter.connect("a", "ann")
    for _ in range(2):
        emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
    with pytest.raises(Unavailable):
        emitter.courier.deliver(to("user:ann", ack_timeout_ms=60_000))
    assert len(reader.messages) == 2
    emitter.acknowledgements.forget("a")
    emitter.courier.deliver(to("user:ann", ack_timeout_ms=1))


def test_the_answers_of_several_emitters_are_one() -> None:
    """Not connected is whom no emitter reached."""
    ack = Acknowledgement(sid="a", node="emitter-1", user=None, answer=[1])
    results = [
        Reached(reached=1, acks=[ack], unacknowledged=[], not_connected=["y", "z"]),
        Reached(reached=2, acks=[], unacknowledged=[recipient("b"), recipient("c")], not_connected=["x", "z"]),
    ]
    assert merge(results, ["z", "x", "y", "z"]) == Reached(
        reached=3, acks=[ack], unacknowledged=[recipient("b"), recipient("c")], not_connected=["z"]
    )
    assert merge([Reached(reached=1), Reached(reached=2)], None) == Reached(reached=3)
    assert merge([], ["x"]) == Reached(reached=0, not_connected=["x"])
