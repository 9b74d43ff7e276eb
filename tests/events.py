"""Events for tests of what carries them."""

from shared.emitter_api import Batch
from shared.events import Event
from ws_service.ingest.entry import Entry

EPOCH = "e1"


def event(seq: int, *topics: str, payload: object = None) -> Event:
    """Return a numbered event of these topics, or of `products`."""
    return Event.model_validate(
        {
            "seq": seq,
            "id": f"id-{seq}",
            "event": "new_product",
            "payload": payload if payload is not None else {"n": seq},
            "topics": topics or ("products",),
            "time": "2026-01-01T00:00:00.000Z",
        }
    )


def events(first: int, last: int, *topics: str) -> list[Event]:
    """Return consecutive events, both ends included."""
    return [event(seq, *topics) for seq in range(first, last + 1)]


def entry(seq: int, *topics: str, payload: object = None) -> Entry:
    """Return a numbered event as the emitter keeps it."""
    return Entry.of(event(seq, *topics, payload=payload))


def entries(first: int, last: int, *topics: str) -> list[Entry]:
    """Return consecutive events as the emitter keeps them, both ends included."""
    return [entry(seq, *topics) for seq in range(first, last + 1)]


def live(first: int, last: int, epoch: str = EPOCH) -> Batch:
    """Return a batch as the relay posts it."""
    return Batch(epoch=epoch, events=events(first, last))


def history(first: int, last: int, epoch: str = EPOCH) -> Batch:
    """Return a batch of the hand-over."""
    return Batch(epoch=epoch, events=events(first, last), history=True)


def closing(position: int, epoch: str = EPOCH) -> Batch:
    """Return the batch that closes the hand-over."""
    return Batch(epoch=epoch, history=True, position=position)
