from api_service.relay.batches import within
from tests.events import events

SIZE = len(events(1, 1)[0].model_dump_json())


def test_a_batch_stays_within_its_bytes() -> None:
    """The emitter is never sent more than it takes."""
    assert [event.seq for event in within(3 * SIZE, events(1, 9))] == [1, 2, 3]


def test_all_of_it_if_it_fits() -> None:
    """A small batch goes whole; an empty one is empty."""
    assert len(within(100 * SIZE, events(1, 9))) == 9
    assert within(100, []) == []


def test_one_large_event_goes_alone() -> None:
    """An event over the bound does not stop the line."""
    assert [event.seq for event in within(1, events(4, 9))] == [4]
