from collections.abc import AsyncIterator

import pytest

from tests.protocol.servers import Servers


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """The emitter and the reference, each as a process for every timing."""
    async with Servers.running(tmp_path_factory.mktemp("protocol")) as running:
        yield running
