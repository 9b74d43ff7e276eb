"""The benchmark in its short form: the figures are for `make bench`, that it can be run is proved here."""

from rich.console import Console

from tests.benchmarks.latency import Throughput, latencies_ms, latency_table, throughput, throughput_table
from tests.listening import Listener
from tests.system import System


async def test_every_create_is_measured(storecast: System) -> None:
    """Each create of the benchmark is heard, and not before it was sent."""
    async with Listener(storecast.url) as listener:
        latencies = await latencies_ms(storecast, listener.client, creates=20)

    assert len(latencies) == 20
    assert all(0 < latency < 20_000 for latency in latencies)


async def test_creators_at_the_same_time_are_all_heard(storecast: System) -> None:
    """The throughput is that of creates which were heard."""
    async with Listener(storecast.url) as listener:
        result = await throughput(storecast, listener.client, creators=4, seconds=0.3)
        heard = listener.client.numbered

    assert result.creates == len(heard) > 0
    assert result.per_second > 0


def test_the_tables_show_the_percentiles() -> None:
    """The figures that are printed are those of the distribution."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(latency_table([float(number) for number in range(101)]))
        console.print(throughput_table(Throughput(creates=500, seconds=10, heard_after_s=0.012), creators=8))

    printed = capture.get()
    assert all(figure in printed for figure in ("50.0 ms", "95.0 ms", "99.0 ms", "100.0 ms"))
    assert all(figure in printed for figure in ("500", "50", "12 ms"))
