"""What is posted is what the emitter takes, and what the figures say it is."""

import json

import orjson

from shared.emitter_api import Batch, Message
from tests.benchmarks import workload
from tests.benchmarks.clients import MARK
from tests.benchmarks.peers.bare import frames


def test_the_payload_has_300_bytes() -> None:
    """The figures are about what they say, in every server's encoding."""
    assert len(workload.PAYLOAD) == 300
    assert orjson.dumps(orjson.loads(workload.PAYLOAD)).decode() == workload.PAYLOAD


def test_the_bodies_are_those_of_the_contract() -> None:
    """Storecast is measured by the calls that its relay makes."""
    opening = Batch.model_validate_json(workload.opening())
    batch = Batch.model_validate_json(workload.body(workload.BURST_10, first=7))
    message = Message.model_validate_json(workload.body(workload.MESSAGE, first=1))

    assert (opening.history, opening.position) == (True, 0)
    assert [event.seq for event in batch.events] == list(range(7, 17))
    assert message.payload == batch.events[0].payload == json.loads(workload.PAYLOAD)


def test_each_event_carries_the_mark_once() -> None:
    """Counting the mark is counting the events, from the first number to the millionth."""
    for what in workload.WORKLOADS.values():
        for first in (1, 10, 999, 10_000, 1_000_000):
            told = frames(what.path.encode(), workload.body(what, first))
            assert told.count(MARK) == what.events
