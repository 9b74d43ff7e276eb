import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator

import hypothesis
import pytest

from deploy.local import ports
from tests.mongod import Mongod, unused_database
from tests.system import System

# No deadline for one example: how busy the machine is says nothing about the code.
hypothesis.settings.register_profile("storecast", deadline=None)
hypothesis.settings.load_profile("storecast")


# Of two processes of a run each has ports of its own: else both could choose one before either listens there.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
ports._CANDIDATES = ports._CANDIDATES[_WORKER::_WORKERS]  # noqa: SLF001  # for a user there is nothing to choose


@pytest.fixture(scope="session")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mongod]:
    """A real MongoDB for the whole run."""
    async with Mongod.running(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture
async def database_url(mongod: Mongod) -> AsyncIterator[str]:
    """The connection string of an empty database that only this test has."""
    database = unused_database()
    yield mongod.url(database)
    await mongod.drop(database)


@pytest.fixture(scope="session")
async def shared_storecast(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One whole Storecast with three replicas for the run; a test takes it as `storecast`."""
    async with System.running(tmp_path_factory.mktemp("storecast"), mongod.url(unused_database())) as system:
        yield system


@pytest.fixture
async def storecast(shared_storecast: System) -> System:
    """A whole Storecast in which all runs and every event was heard, whatever the test before did to it."""
    await shared_storecast.restore()
    return shared_storecast


@pytest.fixture
def untraced() -> Iterator[None]:
    """No line is traced for coverage: a search takes half the time. pytest-cov's own mark does nothing under xdist."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes printed last where a test that uses them fails."""
    report = yield
    if report.failed:
        for system in {value for value in item.funcargs.values() if isinstance(value, System)}:
            report.sections += [(f"log of {name}", tail) for name, tail in system.processes.tails().items()]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that does not say what it proves."""
    silent = [item.nodeid for item in items if isinstance(item, pytest.Function) and not item.function.__doc__]
    if silent:
        raise pytest.UsageError(f"tests without a docstring that states their requirement: {', '.join(silent)}")
