"""The live page by keyboard alone, in a real browser."""

from playwright.async_api import Browser, Locator, expect

from tests.e2e.shop import Shop
from tests.e2e.visit import WIDTHS, Visit

# What is to be reached, in the order of the document.
REACHABLE = """() => [...document.querySelectorAll("a[href], button, input, textarea, summary, [tabindex='0']")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("[inert]"))"""
# Tab by Tab: where the focus is, and how that looks.
NOTE_FOCUS = """() => {
  const look = (element) => (({ outline, boxShadow }) => outline + boxShadow)(getComputedStyle(element));
  window.steps = [];
  addEventListener("focusin", ({ target }) => steps.push([target, look(target)]));
  window.unlike = () => steps.filter(([element, focused]) => look(element) === focused)
    .map(([element]) => element.outerHTML);
}"""
IN_ORDER = f"""() => {{
  const wanted = ({REACHABLE})();
  const told = (element) => element.outerHTML.slice(0, 80);
  return [wanted.map(told), steps.map(([element]) => told(element))];
}}"""
MOST_TABS = 100


async def tab_to(target: Locator, key: str = "Tab") -> None:
    """Press Tab until the focus is there."""
    for _ in range(MOST_TABS):
        if await target.evaluate("(element) => element === document.activeElement"):
            return
        await target.page.keyboard.press(key)
    raise AssertionError(f"{target} is not reached")


async def press(target: Locator, key: str) -> None:
    await tab_to(target)
    await target.page.keyboard.press(key)


async def type_into(target: Locator, text: str) -> None:
    # What stands in a field is selected as the focus comes to it.
    await tab_to(target)
    await target.page.keyboard.type(text)


@WIDTHS
async def test_tab_leads_through_the_whole_page(browser: Browser, open_shop: Shop, width: int) -> None:
    """First to the link that skips to the products, then to all that can be used, in order; it is seen where one is."""
    await open_shop.create("a stop on the way", category="garden")
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        page = visit.page
        await visit.is_live()
        await expect(page.locator("#chat")).to_be_visible()
        await page.evaluate(NOTE_FOCUS)
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the products")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        for _ in range(await page.evaluate(f"({REACHABLE})().length") - 1):
            await page.keyboard.press("Tab")
        wanted, reached = await page.evaluate(IN_ORDER)
        assert reached == wanted
        # The last one has the focus still.
        await page.evaluate("document.activeElement.blur()")
        assert await page.evaluate("unlike()") == []

        await press(skip, "Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="New product")).to_be_focused()


@WIDTHS
async def test_a_product_is_added_changed_and_deleted_by_keyboard(
    browser: Browser, open_shop: Shop, width: int
) -> None:
    """With Tab, Enter, Space and Escape; what is closed gives the focus back to what opened it."""
    name = f"typed {width}"
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        page, form = visit.page, visit.page.locator("#product-form")
        await visit.is_live()
        opener = page.get_by_role("button", name="New product")
        await press(opener, "Enter")
        await expect(form.get_by_label("Name", exact=True)).to_be_focused()
        await page.keyboard.type(name)
        await type_into(form.get_by_label("Price", exact=True), "3")
        await press(form.get_by_role("button", name="Add product"), "Space")
        await expect(form.locator(".message")).to_have_text(f"Added: {name}")
        await expect(form.get_by_label("Name", exact=True)).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(opener).to_be_focused()

        edit = visit.card(name).get_by_role("button", name="Edit")
        await press(edit, "Space")
        await page.keyboard.press("Escape")
        await expect(edit).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".editor").get_by_label("Name", exact=True)).to_be_focused()
        await type_into(page.locator(".editor").get_by_label("Price", exact=True), "4")
        await press(page.get_by_role("button", name="Save"), "Enter")
        await expect(visit.card(name).locator(".price")).to_have_text("$4.00")
        await expect(edit).to_be_focused()

        delete = visit.card(name).locator(".foot").get_by_role("button", name="Delete")
        await press(delete, "Enter")
        await expect(page.get_by_role("button", name="Keep")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(delete).to_be_focused()
        await page.keyboard.press("Space")
        await tab_to(visit.card(name).locator(".deletion").get_by_role("button", name="Delete"), "Shift+Tab")
        await page.keyboard.press("Space")
        await expect(visit.card(name)).to_have_count(0)
        assert await page.evaluate("document.activeElement !== document.body")
