from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.chromium import launched
from tests.e2e.shop import Shop
from tests.e2e.visit import DESKTOP, PATIENCE_S
from tests.mongod import Mongod


@pytest.fixture
def width() -> int:
    """Of the window, for tests that are not run at both."""
    return DESKTOP


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    expect.set_options(timeout=PATIENCE_S * 1_000)
    async with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
async def open_shop(mongod: Mongod) -> AsyncIterator[Shop]:
    """Everybody reads, writes and talks."""
    async with Shop.running(mongod, client_topics=("chat:*",), auth="off") as shop:
        yield shop
