"""Takes the README's picture of the live page, on a system of its own: `make picture`."""

import asyncio
import tempfile
from pathlib import Path

from tests.e2e.chromium import launched
from tests.e2e.test_page_looks import SHELF
from tests.e2e.visit import Visit
from tests.processes import ROOT
from tests.up import Up

PICTURE = ROOT / "docs/page.png"
WIDTH = 1_080
PRODUCTS = 24
_PAUSE_S = 0.7


async def take() -> None:
    """Have some products made while the page is open, and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Up.started(Path(folder) / "data") as up,
            launched() as browser,
            Visit.to(browser, up.origin, width=WIDTH) as visit,
        ):
            await visit.is_live()
            for number in range(PRODUCTS):
                (await up.http.post("/products", json=SHELF[number % len(SHELF)])).raise_for_status()
                await asyncio.sleep(_PAUSE_S)
            await visit.page.evaluate("document.getAnimations().forEach((each) => each.finish())")
            await visit.page.screenshot(path=PICTURE)


if __name__ == "__main__":
    asyncio.run(take())
