"""Finding products on the live page, and what it tells of the connection, in a real browser."""

import re

from playwright.async_api import Browser, expect

from tests.e2e.shop import Shop
from tests.e2e.visit import PATIENCE_S, PHONE, WIDTHS, Visit
from tests.waiting import eventually


@WIDTHS
async def test_a_search_shows_what_is_like_it(browser: Browser, open_shop: Shop, width: int) -> None:
    """In names, descriptions and tags, in any case; what is heard joins if it is like it; without it, all is back."""
    word = f"Quartz{width}"
    await open_shop.create(f"{word} clock")
    await open_shop.create("a plain one", description=f"with {word.lower()} in it", category="clocks")
    await open_shop.create(f"a {width} tagged one", tags=[word.upper()])
    plain = await open_shop.create(f"not {width}")
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        count = await visit.page.locator(".card").count()
        await visit.page.get_by_label("Search the products").fill(f" {word.lower()} ")
        await expect(visit.page.locator(".card")).to_have_count(3)
        await expect(visit.page.locator("#announcement")).to_have_text("3 shown")
        await open_shop.create(f"another {word}")
        await expect(visit.card(f"another {word}")).to_be_visible()
        await open_shop.create("one more that is not")
        await open_shop.http.patch(f"/products/{plain['id']}", json={"name": f"now {word}"})
        await expect(visit.card(f"now {word}")).to_be_visible()
        await expect(visit.page.locator(".card")).to_have_count(5)
        await visit.page.get_by_role("button", name="clocks", exact=True).click()
        await expect(visit.page.locator(".card")).to_have_count(1)
        await visit.page.get_by_label("Search the products").fill("nothing is like this")
        await expect(visit.page.locator("#empty")).to_contain_text("No product matches")
        await visit.page.get_by_role("button", name="Show all products").click()
        await expect(visit.page.locator(".card")).to_have_count(count + 2)
        await expect(visit.page.get_by_label("Search the products")).to_be_focused()


@WIDTHS
async def test_a_category_is_shown_alone(browser: Browser, open_shop: Shop, width: int) -> None:
    """Each that there is can be chosen, also one that comes up while another is shown; it is told which one is."""
    garden, toys = f"garden-{width}", f"toys-{width}"
    await open_shop.create("a bench", category=garden)
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        for category, name in ((garden, "a bench"), (toys, "a kite")):
            button = visit.page.get_by_role("group", name="Show one category").get_by_role("button", name=category)
            await button.click()
            await expect(button).to_have_attribute("aria-pressed", "true")
            await expect(visit.page.locator(".card .name")).to_have_text([name])
            if category == garden:
                await open_shop.create("a kite", category=toys)
        await visit.page.get_by_role("button", name="All", exact=True).click()
        await expect(visit.card("a bench").first).to_be_visible()


async def test_a_product_has_a_picture_of_its_own(browser: Browser, open_shop: Shop) -> None:
    """Drawn here, and the same on another page, also on a phone."""
    product = await open_shop.create("to be drawn")
    paths = f".card[data-id='{product['id']}'] .picture path"
    async with Visit.to(browser, open_shop.url) as visit, Visit.to(browser, open_shop.url, width=PHONE) as other:
        drawn = []
        for each in (visit, other):
            # A picture is drawn as its card comes into sight.
            await expect(each.page.locator(paths).last).to_have_attribute("d", re.compile("^M"))
            await expect(each.page.locator(paths).last).to_be_visible()
            drawn.append([await path.get_attribute("d") for path in await each.page.locator(paths).all()])
        assert drawn[0] == drawn[1]
        assert all(drawn[0])


@WIDTHS
async def test_how_much_and_how_late_is_drawn(browser: Browser, open_shop: Shop, width: int) -> None:
    """Both charts are there with their figures, and each change is listed with its latency and its emitter."""
    name = f"counted {width}"
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        for chart in ("#rate-chart", "#latency-chart"):
            await expect(visit.page.locator(f"{chart} canvas")).to_be_visible()
        await open_shop.create(name)
        await expect(visit.page.locator("#latency")).to_have_text(re.compile(r"^\d+ ms$|^\d+\.\d s$"))
        await visit.unfold("Activity")
        line = visit.page.locator("#activity li").filter(has_text=name)
        await expect(line).to_be_visible()
        await expect(line.locator(".latency")).to_have_text(re.compile(r"^\d+ ms$|^\d+\.\d s$"))
        await expect(line.locator(".path")).to_have_text("emitter-1")
        await expect(line.locator(".seq")).to_have_text(re.compile(r"^#\d+$"))


@WIDTHS
async def test_being_offline_is_said_and_caught_up_with(browser: Browser, open_shop: Shop, width: int) -> None:
    """What is known stays; with the network, what was missed comes, is counted, and is told apart from what is live."""
    before, missed, missed_too = f"heard before {width}", f"missed {width}", f"missed {width} too"
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        await open_shop.create(before)
        await expect(visit.card(before)).to_be_visible()
        await visit.page.context.set_offline(True)
        await expect(visit.page.locator("#connection")).to_contain_text("Offline")
        history = open_shop.emitter.hub.history
        heard = history.last
        for name in (missed, missed_too):
            await open_shop.create(name)
        await eventually(lambda: history.last == heard + 2, message="both are heard", timeout_s=PATIENCE_S)
        await expect(visit.card(before)).to_be_visible()
        await visit.page.context.set_offline(False)
        await expect(visit.card(missed_too)).to_be_visible()
        note = re.compile(r"^Back after \d+ s: 2 missed changes caught up$")
        await expect(visit.page.locator("#connection .note")).to_have_text(note)
        await expect(visit.page.locator("#connection .note")).to_be_visible()
        await visit.unfold("Activity")
        await expect(visit.page.locator("#activity .note")).to_have_text(note)
        await expect(visit.page.locator("#activity .note")).to_be_visible()
        line = visit.page.locator("#activity li").filter(has_text=missed_too)
        await expect(line.locator(".latency")).to_be_empty()


@WIDTHS
async def test_a_gap_is_said(browser: Browser, open_shop: Shop, width: int) -> None:
    """Where the emitter cannot tell what was missed, the list is read anew, and the page says so."""
    name = f"before the gap {width}"
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        await visit.page.context.set_offline(True)
        await expect(visit.page.locator("#connection")).to_contain_text("Offline")
        history = open_shop.emitter.hub.history
        heard = history.last
        await open_shop.create(name)
        await eventually(lambda: history.last > heard, message="the emitter has heard of it", timeout_s=PATIENCE_S)
        history.clear(history.last)
        await visit.page.context.set_offline(False)
        await expect(visit.page.locator("#connection .note")).to_contain_text("list read anew")
        await expect(visit.page.locator("#connection .note")).to_be_visible()
        await expect(visit.card(name)).to_be_visible()


async def test_what_is_pushed_past_the_catalogue_is_none_of_its_changes(browser: Browser, open_shop: Shop) -> None:
    """Who has the emitter secret may push a new_product that is no product; the page shows the real ones as before."""
    async with Visit.to(browser, open_shop.url) as visit:
        await visit.is_live()
        for payload in ({"name": "Moka pot"}, None):
            pushed = await open_shop.emitter.http.post("/emit", json={"event": "new_product", "payload": payload})
            assert pushed.json()["reached"] >= 1
        await open_shop.create("after the push")
        await expect(visit.card("after the push")).to_be_visible()
        await expect(visit.page.locator("#activity").get_by_text("after the push")).to_be_visible()
        await expect(visit.page.locator("#heard")).to_have_text("1")


@WIDTHS
async def test_dark_or_light_is_the_readers_choice(browser: Browser, open_shop: Shop, width: int) -> None:
    """As the system is, until the reader says otherwise; that is remembered, and nothing else is."""
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        toggle = visit.page.get_by_role("button", name="Dark colours")
        ground = "getComputedStyle(document.body).backgroundColor"
        await visit.is_live()
        light = await visit.page.evaluate(ground)
        await expect(toggle).to_have_attribute("aria-pressed", "false")
        await visit.page.emulate_media(color_scheme="dark")
        await expect(toggle).to_have_attribute("aria-pressed", "true")
        dark = await visit.page.evaluate(ground)
        await toggle.click()
        await expect(toggle).to_have_attribute("aria-pressed", "false")
        assert await visit.page.evaluate(ground) == light != dark
        await visit.page.reload()
        await visit.is_live()
        assert await visit.page.evaluate(ground) == light
        assert await visit.page.evaluate("Object.entries(localStorage)") == [["storecast.theme", "light"]]
