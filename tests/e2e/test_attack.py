from collections.abc import AsyncIterator

import pytest

from tests.attack.attacks import ATTACKS
from tests.attack.places import PLACES, url_of
from tests.attack.run import SETTINGS, SLOWNESS, Options, run
from tests.mongod import Mongod, unused_database
from tests.system import System

SECONDS = 2
HONEST = 40


@pytest.fixture(scope="module")
async def attacked(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system with the limits that services have by themselves."""
    folder = tmp_path_factory.mktemp("attacked")
    async with System.running(folder, mongod.url(unused_database()), replicas=2, **SETTINGS) as system:
        yield system


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_honest_do_not_notice_an_attack(attacked: System, attack: str) -> None:
    """The short form of `make attack`: nobody misses anything or is cut off, and the memory holds and comes back."""
    url = url_of(attacked, PLACES[attack][-1])
    figures = await run(attacked, Options(attack, url, SECONDS, HONEST))
    assert not [str(figure) for figure in figures if figure.name != SLOWNESS and not figure.holds]
