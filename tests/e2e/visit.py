"""A visit to the live page in a real browser."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.waiting import eventually

DESKTOP = 1280
PHONE = 360
WIDTHS = pytest.mark.parametrize("width", [DESKTOP, PHONE])
PATIENCE_S = 30
"""How long a test waits for what has to come."""
# What a token says whose owner may do all that the page can.
WRITER = "products:write products:read"
NOTE_VIOLATIONS = """
  addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sample }) => {
    complain(`${effectiveDirective} ${blockedURI} ${sample}`);
  });
"""
# What is said in passing is gone after some seconds, which are few on a busy machine.
NOTE_TOASTS = """
  addEventListener("DOMContentLoaded", () => {
    const toast = document.querySelector("#toast");
    window.toasts = [];
    new MutationObserver(() => toasts.push(toast.textContent)).observe(toast, { childList: true });
  });
"""
# What the browser itself says of a server that is away or refuses is no fault of the page.
NETWORK_ERROR = re.compile(r"^(Failed to load resource|WebSocket connection to)")


class Visit:
    """A reader with the page open, who notes whatever the browser complains about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.loads = 0
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.on("load", self._count_load)

    @classmethod
    @asynccontextmanager
    async def to(cls, browser: Browser, url: str, *, width: int = DESKTOP, path: str = "/") -> AsyncIterator["Visit"]:
        """Open a page; at the end, nothing was complained about, and it fits."""
        page = await browser.new_page(viewport={"width": width, "height": 800}, locale="en-US", base_url=url)
        async with page:
            visit = cls(page)
            await page.expose_function("complain", visit.complain)
            await page.add_init_script(NOTE_VIOLATIONS)
            await page.add_init_script(NOTE_TOASTS)
            await page.goto(path)
            yield visit
            assert not visit.complaints, visit.complaints
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide == width, f"it has to be scrolled sideways: {wide} px"

    def complain(self, text: str) -> None:
        """Note what the page's own policy has refused."""
        self.complaints.append(text)

    async def unfold(self, panel: str) -> None:
        """Open a panel that is folded away on a phone; where there is room, it is open already."""
        folded = self.page.locator("details:not([open]) > summary").filter(has_text=panel)
        if await folded.count():
            await folded.click()

    def card(self, name: str) -> Locator:
        """The cards of the products called `name`."""
        return self.page.locator(".card").filter(has=self.page.get_by_role("heading", name=name, exact=True))

    async def is_live(self) -> None:
        """Wait until the page is connected and shows the list."""
        await expect(self.page.locator("#connection")).to_have_attribute("data-state", "live")
        await expect(self.page.locator("#products")).to_have_attribute("aria-busy", "false")
        await expect(self.page.locator("#list-message")).to_be_empty()

    async def was_told(self, text: str) -> None:
        """Wait until the page has said something in passing."""

        async def is_told() -> bool:
            return text in await self.page.evaluate("window.toasts")

        await eventually(is_told, message=f"the page says {text}", timeout_s=PATIENCE_S)

    async def names(self) -> list[str]:
        """The products as they stand on the page."""
        return await self.page.locator(".card .name").all_text_contents()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not NETWORK_ERROR.match(message.text):
            self.complaints.append(message.text)

    def _count_load(self, _page: Page) -> None:
        self.loads += 1


async def fill(page: Page, **fields: str) -> None:
    """Type into the fields of the form that adds a product."""
    opener = page.get_by_role("button", name="New product")
    if await opener.get_attribute("aria-expanded") == "false":
        await opener.click()
    for label, text in fields.items():
        await page.locator("#product-form").get_by_label(label, exact=label != "Tags").fill(text)


async def sign_in(page: Page, shown: str) -> None:
    """Paste a token where one is asked for, or after asking to be asked."""
    panel = page.locator("#sign-in-panel")
    opener = page.locator("#identity").get_by_role("button", name="Sign in")
    # Before it knows what takes a token, the page shows neither.
    await expect(panel.or_(opener).first).to_be_visible()
    if await panel.is_hidden():
        await opener.click()
    await page.get_by_label("Token", exact=True).fill(shown)
    await page.locator("#sign-in-panel").get_by_role("button", name="Sign in").click()


async def is_signed_in(page: Page, name: str) -> None:
    """Wait until the page says who is signed in."""
    await expect(page.locator("#identity .name")).to_have_text(name)
    await expect(page.locator("#sign-in-panel")).to_be_hidden()
