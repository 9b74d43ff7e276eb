"""How long a person waits: from the POST through the gateway to the stock JavaScript client, one product at a time.

A latency runs from just before the POST is sent, by this process's clock, to the moment the client's handler is called,
by Node's `performance.timeOrigin + performance.now()`. Both read the machine's one wall clock.
"""

import tempfile
import time
from pathlib import Path

import aiohttp

from tests.benchmarks.figures import Measure, percentile
from tests.benchmarks.run import Run
from tests.benchmarks.system import STORECAST
from tests.listening import Hearing, Listener
from tests.mongod import Mongod, unused_database
from tests.system import System

PART = "latency"
_WARM_UP_CREATES = 50
_MS = 1e6


async def measure(run: Run) -> None:
    """Run a whole Storecast behind nginx and create products, each when the one before was heard."""
    run.tell(f"{PART}: {STORECAST}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            Mongod.running(folder) as mongod,
            System.running(folder / "storecast", mongod.url(unused_database())) as storecast,
            Listener(storecast.url) as listener,
        ):
            await latencies_ms(storecast, listener.client, _WARM_UP_CREATES)
            latencies = await latencies_ms(storecast, listener.client, run.scale.creates)
    table = f"{len(latencies)} creates through nginx, each when the one before was heard"
    shares = {"p50": 50, "p95": 95, "p99": 99, "most": 100}
    run.figures.add(
        STORECAST,
        {Measure(table, f"create to heard, {name}", "ms"): percentile(latencies, at) for name, at in shares.items()},
    )


async def latencies_ms(storecast: System, client: Hearing, creates: int) -> list[float]:
    """Create products, each when the one before was heard; return how long each took to be heard."""
    latencies = []
    async with aiohttp.ClientSession(storecast.url) as http:
        for heard_before in range(len(client.numbered), len(client.numbered) + creates):
            before_ms = time.time_ns() / _MS
            async with http.post("/products", json={"name": "product", "price": "9.99"}, raise_for_status=True) as made:
                product_id = (await made.json())["id"]
            heard = (await client.heard(heard_before + 1))[-1]
            assert heard.payload["id"] == product_id
            latencies.append(heard.at_ms - before_ms)
    return latencies
