import pytest

from tests.events import entry, event
from ws_service.ingest.entry import Entry, Unencodable


def test_the_payload_is_encoded_once_and_the_rest_is_kept() -> None:
    """What every socket is sent is JSON bytes already; numbers, names and text outlive it unchanged."""
    of = event(7, "products", payload={"name": "Käse", "price": "12.50", "stock": None, "big": 2**63 - 1})
    kept = Entry.of(of)
    assert kept.payload == '{"name":"Käse","price":"12.50","stock":null,"big":9223372036854775807}'.encode()
    assert (kept.seq, kept.id, kept.event, kept.topics, kept.time) == (of.seq, of.id, of.event, of.topics, of.time)


def test_its_size_is_never_less_than_what_it_holds() -> None:
    """A bound on the memory of the history is one, however large or small the events are."""
    assert entry(1).size > len(entry(1).payload)
    assert entry(1, payload="x" * 1000).size - entry(1, payload="").size == 1000


@pytest.mark.parametrize("payload", [2**64, {"n": [-(2**63) - 1]}, {"deep": {"n": {"n": 2**70}}}])
def test_a_payload_that_json_has_no_room_for_names_its_number(payload: object) -> None:
    """The relay is told which event it is that cannot be sent on."""
    with pytest.raises(Unencodable, match=r"^event 5: payload: "):
        entry(5, payload=payload)
