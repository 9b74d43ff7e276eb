from pathlib import Path

import pytest

from tests.fuzz.fuzz import SETTINGS, Round, Target, fuzz, targets
from tests.mongod import Mongod, unused_database
from tests.system import System

CASES = 300
EXAMPLES = 15


async def test_no_request_breaks_a_service_or_its_document(mongod: Mongod, tmp_path: Path) -> None:
    """The short form of `make fuzz`: generated requests, one after the other and in sequences, find no server error.

    Nor do they find an answer that the OpenAPI documents do not have, a missing token that is let through, or wrong
    data that are taken.
    """
    async with System.running(tmp_path, mongod.url(unused_database()), replicas=1, **SETTINGS) as system:
        for target in targets(system):
            rounds = [done async for done in fuzz(target, CASES, EXAMPLES, 1, tmp_path)]
            assert all(done.ok for done in rounds), rounds[-1].said
            assert sum(done.cases for done in rounds) >= CASES
            # From a product that was made to reading, changing and removing it; nothing of the emitter's is linked.
            assert target.name == "emitter" or max(done.links for done in rounds) >= 3, rounds[-1].said


@pytest.mark.parametrize("done", [Round("api", 10, ok=False, said="a fault"), Round("api", 0, ok=True, said="")])
async def test_a_round_that_found_something_is_the_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, done: Round
) -> None:
    """What was found is told, and a run that sends nothing does not go on for ever."""

    async def one(*_: object) -> Round:
        return done

    monkeypatch.setattr("tests.fuzz.fuzz._round", one)
    assert [each async for each in fuzz(Target("api", "", ""), 100, 1, 1, tmp_path)] == [done]
