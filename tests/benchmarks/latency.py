"""How long it takes until a created product is heard, and how many can be created: `make bench`.

Real processes on this machine: MongoDB, three API replicas, one emitter, nginx in front of both, one stock JavaScript
client. A latency runs from just before the POST is sent, by this process's clock, to the moment the client's handler
is called, by Node's `performance.timeOrigin + performance.now()`. Both read the machine's one wall clock.

The creators have the machine's cores in common with what they measure; so they use the client that costs least.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from rich.console import Console
from rich.table import Table

from tests.listening import Hearing, Listener
from tests.mongod import Mongod, unused_database
from tests.system import System

WARM_UP_CREATES = 50
CREATES = 300
CREATORS = 8
CREATING_S = 10.0


class Throughput(NamedTuple):
    """What several creators achieved at the same time."""

    creates: int
    seconds: float
    heard_after_s: float

    @property
    def per_second(self) -> float:
        """Creates per second."""
        return self.creates / self.seconds


async def create(http: aiohttp.ClientSession, name: str) -> str:
    """Create a product and return its id."""
    async with http.post("/products", json={"name": name, "price": "9.99"}, raise_for_status=True) as response:
        return str((await response.json())["id"])


async def latencies_ms(storecast: System, client: Hearing, creates: int) -> list[float]:
    """Create products, each when the one before was heard; return how long each took to be heard."""
    latencies = []
    async with aiohttp.ClientSession(storecast.url) as http:
        for heard_before in range(len(client.numbered), len(client.numbered) + creates):
            before_ms = time.time_ns() / 1e6
            product_id = await create(http, "product")
            heard = (await client.heard(heard_before + 1))[-1]
            assert heard.payload["id"] == product_id
            latencies.append(heard.at_ms - before_ms)
    return latencies


async def throughput(storecast: System, client: Hearing, creators: int, seconds: float) -> Throughput:
    """Create as many products as so many creators can, and see how soon after the last one all were heard."""
    heard_before = len(client.numbered)
    start = time.monotonic()

    async def keep_creating(http: aiohttp.ClientSession) -> int:
        creates = 0
        while time.monotonic() - start < seconds:
            await create(http, "product")
            creates += 1
        return creates

    async with aiohttp.ClientSession(storecast.url) as http:
        creates = sum(await asyncio.gather(*(keep_creating(http) for _ in range(creators))))
    end, end_ms = time.monotonic(), time.time_ns() / 1e6
    heard = await client.heard(heard_before + creates)
    return Throughput(creates, end - start, max(0.0, heard[-1].at_ms - end_ms) / 1e3)


def latency_table(latencies: list[float]) -> Table:
    """Show what matters about a distribution."""
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive")
    figures = {"p50": percentiles[49], "p95": percentiles[94], "p99": percentiles[98], "max": max(latencies)}
    table = Table(title=f"create to heard, {len(latencies)} creates, each when the one before was heard", min_width=64)
    for name in figures:
        table.add_column(name, justify="right")
    table.add_row(*(f"{figure:.1f} ms" for figure in figures.values()))
    return table


def throughput_table(result: Throughput, creators: int) -> Table:
    """Show how many creates there were, and whether the events kept up."""
    table = Table(title=f"{creators} creators at the same time for {result.seconds:.0f} s", min_width=64)
    for name in ("creates", "per second", "last heard after the last answer"):
        table.add_column(name, justify="right")
    table.add_row(str(result.creates), f"{result.per_second:.0f}", f"{result.heard_after_s * 1e3:.0f} ms")
    return table


async def measure(console: Console) -> None:
    """Run a whole Storecast for a while and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with (
            Mongod.running(directory) as mongod,
            System.running(directory / "storecast", mongod.url(unused_database())) as storecast,
            Listener(storecast.url) as listener,
        ):
            await latencies_ms(storecast, listener.client, WARM_UP_CREATES)
            console.print(latency_table(await latencies_ms(storecast, listener.client, CREATES)))
            result = await throughput(storecast, listener.client, CREATORS, CREATING_S)
            console.print(throughput_table(result, CREATORS))


if __name__ == "__main__":
    try:
        asyncio.run(measure(Console()))
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
