import pytest

from api_service.feed import sequencer
from api_service.relay import relay
from tests.model import leader
from ws_service.ingest import history, hub, subscriptions


@pytest.fixture(autouse=True)
def _driven_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes when the model says so, the change stream is the model's, and everything comes in small parts."""
    monkeypatch.setattr(sequencer, "asyncio", leader.Clockless)
    monkeypatch.setattr(sequencer, "open_changes", leader.open_changes)
    monkeypatch.setattr(relay, "asyncio", leader.Clockless)
    monkeypatch.setattr(relay, "MAX_BATCH_EVENTS", 2)
    monkeypatch.setattr(subscriptions, "CHUNK_BYTES", 600)
    monkeypatch.setattr(hub, "CHUNK_BYTES", 1000)  # more than one event, less than two
    monkeypatch.setattr(history, "MAX_DROPPED_TOPICS", 3)
