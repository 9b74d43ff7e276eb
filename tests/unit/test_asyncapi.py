"""The AsyncAPI document: up to date, without a fault, and a judge that misses no drift."""

import json
import subprocess
from typing import Any

import pytest

from api_service.feed.numbering import PAYLOADS
from deploy.asyncapi.__main__ import FILES, text
from deploy.asyncapi.document import document
from shared.rooms import RESERVED_EVENTS
from tests.contract import SOCKETIO, Contract
from tests.processes import ROOT
from tests.tools import require

META = {"seq": 7, "id": "x-7", "time": "2026-11-21T10:00:00.123Z"}
_WARNING = 1


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The document as it is."""
    return Contract(document())


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_it_is_made_of_what_the_services_use_now(file: Any) -> None:
    """Whoever changes what is sent renews the document with it."""
    assert file.read_text() == text(), "run `make asyncapi`"


def test_its_authors_parser_has_nothing_against_it() -> None:
    """The parser of AsyncAPI finds no error and warns of nothing, as it does where there is something to find."""
    broken = document()
    broken["operations"]["tell"]["channel"] = {"$ref": "#/channels/nowhere"}
    found, found_in_broken = parsed([document(), broken])
    assert found == []
    assert found_in_broken


def parsed(documents: list[dict[str, Any]]) -> list[list[Any]]:
    """Return the errors and warnings about each document; of hints there is always one about the newest version."""
    node = require("node", "install Node.js")
    command = [node, str(ROOT / "tests/asyncapi.mjs")]
    run = subprocess.run(command, input=json.dumps(documents), capture_output=True, text=True, check=True, timeout=60)
    return [[each for each in found if each["severity"] <= _WARNING] for found in json.loads(run.stdout)]


def test_every_name_that_it_gives_to_an_event_is_taken() -> None:
    """Nobody else can send a message under a name of which the document says something else."""
    messages = document()["channels"][SOCKETIO]["messages"]
    operations = document()["operations"]
    told = {each["$ref"].rpartition("/")[2] for each in operations["tell"]["messages"]}
    assert {messages[name]["name"] for name in told} <= RESERVED_EVENTS
    assert PAYLOADS.keys() <= told


def test_a_product_of_which_only_the_id_is_known_can_be_gone(contract: Contract) -> None:
    """Where no image was kept, a deletion tells no more; that of a product that is known tells all of it."""
    contract.hold(SOCKETIO, "product_deleted", [{"id": "65f000000000000000000001"}, META, "e1:7"])
    assert contract.faults(SOCKETIO, "new_product", [{"id": "65f000000000000000000001"}, META, "e1:7"])


@pytest.mark.parametrize(
    "drifted",
    [
        [{"reason": "x", "more": 1}, META, "e1:7"],
        [{}, META, "e1:7"],
        [{"reason": 1}, META, "e1:7"],
        [{"reason": "x"}, {**META, "seq": "7"}, "e1:7"],
        [{"reason": "x"}, {**META, "time": "yesterday"}, "e1:7"],
        [{"reason": "x"}, {**META, "epoch": "e1"}, "e1:7"],
        [{"reason": "x"}, META, "7"],
        [{"reason": "x"}, META],
        [{"reason": "x"}, META, "e1:7", 1],
    ],
    ids=json.dumps,
)
def test_a_drift_is_seen(contract: Contract, drifted: list[Any]) -> None:
    """A field more, a field less, another type, another form, an argument more or less."""
    contract.hold(SOCKETIO, "resync", [{"reason": "x"}, META, "e1:7"])
    assert contract.faults(SOCKETIO, "resync", drifted)


def test_the_document_lets_clients_be_told_more_some_day() -> None:
    """The judge alone refuses a field that is not named: what is sent is open in the document, what is taken is not."""
    made = document()
    Contract(made)
    schemas = made["components"]["schemas"]
    assert "additionalProperties" not in schemas["Meta"] | schemas["Product"] | schemas["Welcome"]
    assert schemas["Handshake"]["additionalProperties"] is False
