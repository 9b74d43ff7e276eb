"""The emitter and npm's socket.io server, told the same by the same clients: no difference that is not listed."""

import pytest

from tests.protocol.differences import DIFFERENCES
from tests.protocol.script import Outcome, play_all
from tests.protocol.scripts import ALL
from tests.protocol.servers import Servers


@pytest.fixture(scope="module")
async def outcomes(servers: Servers, request: pytest.FixtureRequest) -> dict[str, Outcome]:
    """What came of the scripts that are to be tested. All are played at a time: most of it is waiting."""
    calls = [item.callspec for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = {call.params["name"] for call in calls if "name" in call.params}
    return await play_all({name: ALL[name] for name in ALL if name in wanted}, servers.pairs, _expected)


def _expected(name: str, outcome: Outcome) -> bool:
    difference = DIFFERENCES.get(name)
    return outcome.same if difference is None else outcome.ours == difference.ours and not outcome.same


@pytest.mark.parametrize("name", ALL)
async def test_a_client_is_answered_as_by_the_reference(outcomes: dict[str, Outcome], name: str) -> None:
    """The same to the letter, or the difference that is listed with its reason."""
    outcome = outcomes[name]
    difference = DIFFERENCES.get(name)
    if difference is None:
        assert outcome.ours == outcome.reference
    else:
        assert outcome.ours == difference.ours
        assert not outcome.same, "there is no difference any more: take it out of the list"


def test_each_listed_difference_has_its_script() -> None:
    """A list with entries that are never looked at would hide what they say."""
    assert not DIFFERENCES.keys() - ALL.keys()
    assert all(difference.reason for difference in DIFFERENCES.values())


@pytest.mark.usefixtures("outcomes")
def test_bad_input_leaves_no_traceback(servers: Servers) -> None:
    """What a client sends is never an error of the emitter's."""
    assert not servers.tracebacks()
