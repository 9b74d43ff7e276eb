"""Every server does the work that it is compared by, and what is measured of it is its own."""

import pytest

from tests.benchmarks import servers, workload
from tests.benchmarks.load import Load

CLIENTS = 12


@pytest.mark.parametrize("name", servers.SERVERS)
async def test_each_server_tells_each_client_each_event_once(name: str) -> None:
    """No server is compared by work that it does not do; a client that hears too little or too much fails the run."""
    async with servers.running(name) as server, Load.on(server) as load:
        connected = await load.connect(CLIENTS)
        told = [await load.broadcast(what, least=2, seconds=0) for what in workload.WORKLOADS.values()]
        await load.drop()
        again = await load.connect(1)

    assert (connected.clients, again.clients) == (CLIENTS, 1)
    assert [broadcasts.deliveries for broadcasts in told] == [24, 24, 240, 2_400]
    assert all(len(broadcasts.last_s) == 2 and min(broadcasts.last_s) > 0 for broadcasts in told)


async def test_the_cpu_time_of_each_process_is_its_own() -> None:
    """What the load generator does is not charged to the server, and what the server does is charged once."""
    async with servers.running(servers.BARE) as server, Load.on(server) as load:
        await load.connect(CLIENTS)
        idle_s, memory = server.cpu_s, server.memory_bytes
        await load.idle(0.2)
        idle_s = server.cpu_s - idle_s
        busy_s = server.cpu_s
        result = await load.broadcast(workload.BURST_100, least=1, seconds=0.4)
        busy_s = server.cpu_s - busy_s

    assert idle_s < 0.05
    assert 0 < busy_s <= result.seconds * 1.1
    assert 0 < result.cpu_s <= result.seconds * 1.1
    assert 1_000_000 < memory < 200_000_000


async def test_pings_are_answered_and_counted() -> None:
    """Clients stay connected for as long as they are told nothing."""
    async with servers.running(servers.NODE, ping_interval_ms=100) as server, Load.on(server) as load:
        await load.connect(2)
        assert await load.idle(2) >= 4
        assert (await load.broadcast(workload.EVENT, least=1, seconds=0)).deliveries == 2


async def test_a_server_that_goes_fails_the_run() -> None:
    """Figures of clients that were lost are never shown."""
    async with servers.running(servers.BARE) as server, Load.on(server) as load:
        await load.connect(2)
        await server.kill()
        with pytest.raises(AssertionError, match=r"bare write.*closed"):
            await load.idle(5)
