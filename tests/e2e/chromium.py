"""A real Chromium, without a window."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.tools import PATH, require

# The same engine without all that is round a window: it takes half the processor time of the whole browser.
SHELL = "chromium-headless-shell"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Launch one; where there is no shell alone, the whole browser does."""
    whole = shutil.which("chromium", path=PATH)
    program = shutil.which(SHELL, path=PATH) or whole or require(SHELL, f"install the Debian package {SHELL}")
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=program, args=ARGUMENTS) as browser,
    ):
        yield browser
