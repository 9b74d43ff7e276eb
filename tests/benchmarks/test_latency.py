"""The latency of the benchmark: the figures are for `make bench`, that they are of what was created is proved here."""

from tests.benchmarks.latency import latencies_ms
from tests.listening import Listener
from tests.system import System


async def test_every_create_is_measured(storecast: System) -> None:
    """Each create of the benchmark is heard, and not before it was sent."""
    async with Listener(storecast.url) as listener:
        latencies = await latencies_ms(storecast, listener.client, creates=20)

    assert len(latencies) == 20
    assert all(0 < latency < 20_000 for latency in latencies)
