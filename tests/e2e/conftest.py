from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.e2e.shop import Shop
from tests.e2e.visit import PATIENCE_S
from tests.mongod import Mongod
from tests.tools import require

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    chromium = require("chromium", "install the Debian package chromium")
    expect.set_options(timeout=PATIENCE_S * 1_000)
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS) as browser,
    ):
        yield browser


@pytest.fixture(scope="module")
async def open_shop(mongod: Mongod) -> AsyncIterator[Shop]:
    """Everybody reads, writes and talks."""
    async with Shop.running(mongod, client_topics=("chat:*",), auth="off") as shop:
        yield shop
