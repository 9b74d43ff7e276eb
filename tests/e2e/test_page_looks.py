"""Whether everybody can use the live page: axe in a real browser, and pictures to be looked at."""

import re
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page, expect

from tests.e2e.shop import Shop
from tests.e2e.visit import WIDTHS, Visit, fill

HERE = Path(__file__).parent
AXE = HERE.parent / "node_modules/axe-core/axe.min.js"
PICTURES = HERE.parent / "artefacts/page"
FINDINGS = """async (rules) => (await axe.run({ resultTypes: ["violations"], ...rules })).violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact))
  .map(({ id, nodes }) => [id, ...nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`)])"""
SHELF: list[dict[str, Any]] = [
    {"name": "Moka pot", "category": "kitchen", "price": "24.90", "description": "For three cups.", "stock": 12},
    {"name": "Brass floor lamp", "category": "lighting", "price": "189.00", "tags": ["brass", "limited"], "stock": 0},
    {"name": "Field guide to birds", "category": "books", "price": "18.50", "currency": "EUR", "tags": ["gift"]},
    {"name": "Oak stool", "category": "furniture", "price": "120.00", "description": "Made to last.", "stock": 3},
    {"name": "Herb planter", "category": "garden", "price": "32.00", "currency": "GBP", "stock": 48},
    {"name": "Wool blanket", "category": "textiles", "price": "95.00", "tags": ["recycled"], "stock": 120},
]


# What the colours alone decide.
CONTRAST = {"runOnly": ["color-contrast"]}


class Album:
    """Pictures of one visit; what is pictured can be used by everybody, and fits."""

    def __init__(self, page: Page, width: int) -> None:
        self._page = page
        self._width = width

    async def take(self, name: str) -> None:
        """Judge what is to be seen, light and dark, and keep pictures of it."""
        await self._take(name, "dark", CONTRAST)
        await self._take(name, "light", {})
        assert await self._page.evaluate("document.documentElement.scrollWidth") == self._width

    async def _take(self, name: str, scheme: Literal["light", "dark"], rules: dict[str, Any]) -> None:
        # What is lit up keeps its colours for those seconds, whatever the scheme is meanwhile.
        await self._page.evaluate("document.getAnimations().forEach((each) => each.finish())")
        await self._page.emulate_media(color_scheme=scheme)
        await self._page.screenshot(path=PICTURES / f"{name}-{self._width}-{scheme}.png")
        assert await self._page.evaluate(FINDINGS, rules) == []


@WIDTHS
async def test_everybody_can_use_it(browser: Browser, open_shop: Shop, width: int) -> None:
    """Whatever is open: no serious finding of axe, no scrolling sideways, no complaint of the browser."""
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        page, album = visit.page, Album(visit.page, width)
        await page.emulate_media(reduced_motion="reduce")
        await visit.is_live()
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        for product in SHELF:
            await open_shop.create(**product)
        await expect(page.locator("#heard")).to_have_text(str(len(SHELF)))
        await album.take("catalogue")

        await fill(page, Price="-1")
        await page.get_by_role("button", name="Add product").click()
        await expect(page.locator(".field-error").first).to_be_visible()
        await album.take("adding")
        await page.get_by_role("button", name="Close").click()

        await page.locator(".card .edit").nth(1).click()
        await page.locator(".card .delete:visible").nth(1).click()
        await page.locator(".editor").scroll_into_view_if_needed()
        await album.take("changing")
        await page.locator(".editor").get_by_role("button", name="Cancel").click()

        await page.get_by_label("Search the products").fill("nothing is like this")
        await expect(page.locator("#empty")).to_be_visible()
        await album.take("nothing")
        await page.get_by_role("button", name="Show all products").click()

        for panel in ("Activity", "Chat"):
            await visit.unfold(panel)
        await page.get_by_label("Say something").fill("Is the lamp coming back?")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#chat .text").last).to_have_text("Is the lamp coming back?")
        await expect(page.locator("#latency")).to_have_text(re.compile(r"\d"))
        await page.context.set_offline(True)
        await expect(page.locator("#connection")).to_contain_text("Offline")
        await album.take("offline")
