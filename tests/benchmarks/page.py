"""How soon the live page shows 1,000 products in a real Chromium: `python -m tests.benchmarks.page`.

Each visit is one of somebody new, with nothing kept, and the whole system runs beside it as by `storecast up`. A figure
is the time of the frame in which that is to be seen, from the beginning of the navigation.
"""

import asyncio
import statistics
import sys
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from playwright.async_api import Browser
from rich.console import Console
from rich.table import Table

from deploy.cli.seed.catalogue import products
from tests.e2e.chromium import launched
from tests.e2e.visit import DESKTOP
from tests.mongod import Mongod, unused_database
from tests.system import System

PRODUCTS = 1_000
TARGET_MS = 1_000
# Looked at before each frame and noted after it: a frame that takes long counts as long.
WATCH = """(most) => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const painted = () => new Promise((resolve) => setTimeout(() => resolve(performance.now())));
  const shown = async (count) => {
    do await frame();
    while (document.querySelectorAll("#products > .card").length < count);
    return painted();
  };
  window.seen = Promise.all([shown(1), shown(most)]);
}"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


class Seen(NamedTuple):
    """What was to be seen when, in milliseconds."""

    anything: float
    first_products: float
    all_products: float


async def visit(browser: Browser, url: str, width: int) -> Seen:
    """Open the page as somebody new."""
    page = await browser.new_page(viewport={"width": width, "height": 800})
    async with page:
        await page.add_init_script(f"({WATCH})({PRODUCTS})")
        await page.goto(url)
        seen = await page.evaluate("window.seen")
        return Seen(await page.evaluate(PAINTED), *seen)


async def measured(visits: int, width: int) -> list[Seen]:
    """Run a whole system with so many products, and visit it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mongod").mkdir()
        async with (
            Mongod.running(folder / "mongod") as mongod,
            System.running(folder / "storecast", mongod.url(unused_database())) as storecast,
            launched() as browser,
        ):
            items = [{"product": product} for product in products(PRODUCTS, seed=1)]
            made = await storecast.http.post("/products/batch", json={"items": items})
            assert made.status_code == HTTPStatus.MULTI_STATUS
            await storecast.ready()
            # The first one finds everything cold.
            await visit(browser, storecast.url, width)
            return [await visit(browser, storecast.url, width) for _ in range(visits)]


def main(
    visits: Annotated[int, typer.Option(min=2, help="How often the page is opened.")] = 15,
    width: Annotated[int, typer.Option(help="Of the window, in pixels.")] = DESKTOP,
) -> None:
    """Measure, and print the figures. Exit code 1: the median until there are all products is above 1,000 ms."""
    seen = asyncio.run(measured(visits, width))
    table = Table("ms until there is", "best", "median", "worst")
    for what, times in zip(Seen._fields, zip(*seen, strict=True), strict=True):
        figures = (min(times), statistics.median(times), max(times))
        table.add_row(what.replace("_", " "), *(f"{figure:.0f}" for figure in figures))
    Console().print(table)
    sys.exit(statistics.median(each.all_products for each in seen) > TARGET_MS)


if __name__ == "__main__":
    typer.run(main)
