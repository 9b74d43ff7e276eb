"""What is posted: the same bytes to every server."""

import json
from typing import NamedTuple

from shared.emitter_api import EMIT_PATH, EVENTS_PATH
from tests.benchmarks.clients import MARK

PAYLOAD_BYTES = 300
EPOCH = "benchmark"
_PRODUCT = {
    "id": "65f000000000000000000000",
    "name": "Moka",
    "description": MARK.decode(),
    "price": "12.50",
    "currency": "USD",
    "category": "books",
    "tags": ["a"],
    "stock": 3,
    "version": 1,
    "created_at": "2026-01-01T00:00:00.000Z",
    "updated_at": "2026-01-01T00:00:00.000Z",
}
_TOPICS = ["products", "category:books", f"product:{_PRODUCT['id']}"]


class Workload(NamedTuple):
    """One way to post: `events` at once by `POST /events`, or one message by `POST /emit`."""

    name: str
    path: str
    events: int = 1


EVENT = Workload("one event a POST", EVENTS_PATH)
MESSAGE = Workload("one message a POST", EMIT_PATH)
BURST_10 = Workload("10 events a POST", EVENTS_PATH, 10)
BURST_100 = Workload("100 events a POST", EVENTS_PATH, 100)
WORKLOADS = {workload.name: workload for workload in (EVENT, MESSAGE, BURST_10, BURST_100)}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _payload() -> str:
    filler = "x" * (PAYLOAD_BYTES - len(_compact(_PRODUCT)))
    return _compact({**_PRODUCT, "description": f"{_PRODUCT['description']}{filler}"})


PAYLOAD = _payload()


def opening() -> bytes:
    """Return the batch that closes the hand-over of an empty history: whatever comes next is live."""
    return _compact({"epoch": EPOCH, "events": [], "history": True, "position": 0}).encode()


def body(workload: Workload, first: int) -> bytes:
    """Return the body of one POST, whose events are numbered from `first` on."""
    if workload.path == EMIT_PATH:
        return f'{{"event":"new_product","payload":{PAYLOAD}}}'.encode()
    events = ",".join(_event(seq) for seq in range(first, first + workload.events))
    return f'{{"epoch":"{EPOCH}","events":[{events}]}}'.encode()


def _event(seq: int) -> str:
    return (
        f'{{"seq":{seq},"id":"{seq:024x}-1","event":"new_product","payload":{PAYLOAD},"topics":{_compact(_TOPICS)},'
        '"time":"2026-01-01T00:00:00.000Z"}'
    )
