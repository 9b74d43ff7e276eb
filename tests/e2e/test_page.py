"""The live page in a real browser, against a whole Storecast."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Route, expect
from pymongo import MongoClient

from tests.e2e.shop import Shop
from tests.e2e.visit import PATIENCE_S, PHONE, WIDTHS, Visit, fill
from tests.mongod import Mongod
from tests.system import EMITTER, System
from tests.waiting import eventually

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def visit(browser: Browser, storecast: System, width: int) -> AsyncIterator[Visit]:
    """The page, open and live; at the end it is still the one that was loaded."""
    async with Visit.to(browser, storecast.url, width=width) as visit:
        await visit.is_live()
        yield visit
        assert visit.loads == 1, "the page was loaded again"


async def test_a_created_product_appears(visit: Visit, storecast: System) -> None:
    """What anyone creates appears on the open page, first, marked as new, counted and told to screen readers."""
    await storecast.create("teapot", price="24.90", category="kitchen", tags=["steel"], stock=3, description="For 3.")

    card = visit.card("teapot")
    await expect(card.get_by_text("New", exact=True)).to_be_visible()
    await expect(card.locator(".price")).to_have_text("$24.90")
    await expect(card.locator(".stock")).to_have_text("3 in stock")
    await expect(card.locator(".category")).to_have_text("kitchen")
    await expect(card.locator(".description")).to_have_text("For 3.")
    await expect(card.locator(".tags")).to_have_text("steel")
    assert (await visit.names())[0] == "teapot"
    await expect(visit.page.locator("#heard")).to_have_text("1")
    await expect(visit.page.locator("#announcement")).to_have_text("New product: teapot")


async def test_the_page_tells_who_serves_it(visit: Visit, storecast: System) -> None:
    """The replica that answered last and the emitter that is listened to are shown."""
    await expect(visit.page.locator("#replica")).to_have_text(re.compile("|".join(storecast.api_urls)))
    await expect(visit.page.locator("#emitter")).to_have_text(re.compile(EMITTER))


async def test_changes_and_deletions_appear(visit: Visit, storecast: System) -> None:
    """A card follows its product, and goes with it; each step is listed with its number."""
    product = await storecast.create("to change")
    await expect(visit.card("to change")).to_be_visible()
    await storecast.http.patch(f"/products/{product['id']}", json={"name": "changed", "stock": 0})
    await expect(visit.card("changed").locator(".stock")).to_have_text("Sold out")
    await storecast.http.delete(f"/products/{product['id']}")
    await expect(visit.card("changed")).to_have_count(0)

    lines = visit.page.locator("#activity li")
    await expect(lines.locator(".event")).to_have_text(["deleted", "changed", "new"])
    seqs = [int(seq.removeprefix("#")) for seq in await lines.locator(".seq").all_text_contents()]
    assert seqs == [seqs[2] + 2, seqs[2] + 1, seqs[2]]


async def test_markup_is_text(visit: Visit, storecast: System) -> None:
    """A product is shown as it is called, whatever it is called; nothing of it is run or loaded."""
    product = await storecast.create(MARKUP, description=MARKUP, tags=[MARKUP])

    await expect(visit.card(MARKUP).locator(".description")).to_have_text(MARKUP)
    await expect(visit.page.locator("#activity .name").first).to_have_text(MARKUP)
    assert await visit.page.locator("main img").count() == 0
    await storecast.http.delete(f"/products/{product['id']}")


@WIDTHS
async def test_the_form_adds_a_product(visit: Visit, width: int) -> None:
    """The form makes one product, with a key of its own, and is empty again for the next one."""
    page, name = visit.page, f"Paper lamp {width}"
    await fill(page, Name=name, Price="1200", Currency="jpy", Category="light", Stock="7", Tags="paper, gift")
    await page.get_by_label("Description").fill("Folds flat.")
    async with page.expect_request(lambda request: request.method == "POST" and "/products" in request.url) as posted:
        await page.get_by_role("button", name="Add product").click()

    assert re.fullmatch(r"[0-9a-f-]{32,36}", (await posted.value).headers["idempotency-key"])
    await expect(page.locator("#product-form .message")).to_have_text(f"Added: {name}")
    await expect(visit.card(name)).to_have_count(1)
    await expect(visit.card(name).locator(".price")).to_have_text("¥1,200")
    await expect(visit.card(name).locator(".tags li")).to_have_text(["paper", "gift"])
    await expect(page.locator("#heard")).to_have_text("1")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("")


@WIDTHS
async def test_what_is_wrong_stands_beside_its_field(visit: Visit, width: int) -> None:
    """Each field that the API refuses says why, to eyes and screen readers; put right, the product is taken."""
    page, name = visit.page, f"Put right {width}"
    await fill(page, Price="-1", Currency="EUR", Category="Not A Slug", Tags="x" * 60, Stock="many")
    await page.get_by_role("button", name="Add product").click()

    for label in ("Name", "Price", "Category", "Tags", "Stock"):
        field = page.locator("#product-form").get_by_label(label, exact=label != "Tags")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(re.compile(r"\w+"))
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await fill(page, Name=name, Price="1", Currency="", Category="", Tags="", Stock="")
    await page.get_by_role("button", name="Add product").click()
    await expect(visit.card(name).locator(".price")).to_have_text("$1.00")
    await expect(page.locator(".field-error")).to_have_count(0)


async def test_a_submission_without_an_answer_is_not_stored_twice(visit: Visit, storecast: System) -> None:
    """Where the answer is lost on its way, pressing again returns the product that was stored."""
    page = visit.page

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/products", lose, times=1)
    await fill(page, Name="Only once", Price="1")
    await page.get_by_role("button", name="Add product").click()
    await expect(page.locator("#product-form .message")).to_have_attribute("data-tone", "bad")
    await page.get_by_role("button", name="Add product").click()
    await expect(page.locator("#product-form .message")).to_have_text("Added: Only once")

    await expect(visit.card("Only once")).to_have_count(1)
    listed = (await storecast.http.get("/products", params={"q": "Only once"})).json()
    assert len(listed["items"]) == 1


async def test_a_thousand_products_are_shown_and_older_ones_on_demand(browser: Browser, mongod: Mongod) -> None:
    """All of them are there, each once and in the order of the list, with what is made meanwhile.

    They come in few calls, and only what comes into sight is given a picture.
    """
    async with Shop.running(mongod, auth="off") as shop:
        for name, count in (("shelf", 1000), ("rack", 100)):
            await shop.http.post("/products/batch", json=batch(name, count))
        await eventually(
            lambda: shop.emitter.hub.history.last == 1100, message="the emitter has heard of all", timeout_s=PATIENCE_S
        )
        async with Visit.to(browser, shop.url) as visit:
            await visit.is_live()
            asked = await visit.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
            assert Counter(urlsplit(url).path for url in asked).items() >= {("/config.json", 1), ("/products", 6)}
            # By selectors alone: to find a role, the accessible names of all cards are worked out.
            cards, more = visit.page.locator(".card"), visit.page.locator("#more")
            assert 1000 <= await cards.count() < 1100
            far = visit.page.locator(".card:nth-child(900)")
            await expect(far.locator("path[d]")).to_have_count(0)
            await far.scroll_into_view_if_needed()
            await expect(far.locator("path[d]")).to_have_count(3)
            await shop.create("in between")
            await expect(cards.first.locator(".name")).to_have_text("in between")
            await more.click()
            await expect(cards).to_have_count(1101)
            await expect(more).to_be_hidden()
            await expect(visit.page.locator(".badge:not([hidden])")).to_have_count(1)
            assert await visit.names() == await listed(shop.http)


async def listed(http: httpx.AsyncClient) -> list[str]:
    """Return the names of all products in the order of the list."""
    names: list[str] = []
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = (await http.get("/products", params=query)).json()
        names += [product["name"] for product in page["items"]]
        if page["next_cursor"] is None:
            return names
        query["cursor"] = page["next_cursor"]


@WIDTHS
async def test_a_burst_is_shown_whole(visit: Visit, storecast: System, width: int) -> None:
    """Products that come faster than a page can be drawn are all there at the end, each once."""
    await storecast.http.post("/products/batch", json=batch(f"burst {width}", 300))

    await expect(visit.page.locator("#heard")).to_have_text("300")
    await expect(visit.page.locator(".card .badge:visible")).to_have_count(300)
    await expect(visit.page.locator("#activity li")).to_have_count(30)
    assert len([name for name in set(await visit.names()) if name.startswith(f"burst {width}")]) == 300


async def test_nothing_is_lost_between_the_list_and_the_first_event(browser: Browser, storecast: System) -> None:
    """What happens while the list is on its way counts, though the list was read before."""
    kept, gone = await storecast.create("to be renamed"), await storecast.create("to be deleted")
    await storecast.ready()
    list_read, answer_list = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        list_read.set()
        await answer_list.wait()
        await route.fulfill(response=response)

    async with Visit.to(browser, storecast.url) as visit:
        await visit.is_live()
        await visit.page.route("**/products?*", hold)
        await visit.page.reload()
        await list_read.wait()
        await storecast.create("made meanwhile")
        await storecast.http.patch(f"/products/{kept['id']}", json={"name": "renamed meanwhile"})
        await storecast.http.delete(f"/products/{gone['id']}")
        await expect(visit.page.locator("#activity .event")).to_have_text(["deleted", "changed", "new"])
        await expect(visit.card("made meanwhile")).to_be_visible()
        answer_list.set()
        await visit.is_live()
        await expect(visit.card("renamed meanwhile")).to_have_count(1)
        await expect(visit.card("made meanwhile")).to_have_count(1)
        for name in ("to be renamed", "to be deleted"):
            await expect(visit.card(name)).to_have_count(0)


async def test_an_emitter_that_dies_is_missed_and_caught_up_with(visit: Visit, storecast: System) -> None:
    """The page says that it reconnects, then shows what happened meanwhile without asking for the list again."""
    connection = visit.page.locator("#connection")
    lists: list[str] = []
    await storecast.create("before the fall")
    await expect(visit.card("before the fall")).to_be_visible()
    visit.page.on("request", lambda request: lists.append(request.url) if "/products?" in request.url else None)
    await storecast.kill(EMITTER)
    await expect(connection).to_have_attribute("data-state", "reconnecting")
    await expect(connection).to_contain_text("Reconnecting")
    missed = await storecast.create("missed")
    await storecast.http.delete(f"/products/{(await storecast.create('gone by then'))['id']}")
    storecast.start(EMITTER)

    await expect(connection).to_have_attribute("data-state", "live")
    await expect(connection).to_contain_text("3 missed changes caught up")
    await expect(visit.card("missed")).to_have_attribute("data-id", missed["id"])
    await expect(visit.card("gone by then")).to_have_count(0)
    assert lists == []
    await storecast.create("after the fall")
    await expect(visit.card("after the fall")).to_be_visible()


async def test_the_list_is_shown_without_an_emitter(browser: Browser, storecast: System) -> None:
    """A page that is opened while the emitter is away shows the products, also a new one of its own, and says so."""
    await storecast.create("there already")
    await storecast.kill(EMITTER)
    async with Visit.to(browser, storecast.url) as visit:
        await expect(visit.card("there already")).to_be_visible()
        await expect(visit.page.locator("#connection")).to_contain_text("Connecting")
        await fill(visit.page, Name="added meanwhile", Price="1")
        await visit.page.get_by_role("button", name="Add product").click()
        await expect(visit.card("added meanwhile")).to_have_count(1)
        await storecast.create("not heard of")
        storecast.start(EMITTER)
        await visit.is_live()
        await expect(visit.card("not heard of")).to_have_count(1)


async def test_a_resync_reloads_the_list(visit: Visit, storecast: System) -> None:
    """When it cannot be told what changed, as after a collection was dropped, the page reads the list anew."""
    await storecast.create("gone with the others")
    await expect(visit.card("gone with the others")).to_be_visible()
    await asyncio.to_thread(_drop_products, storecast.mongo_url)
    await expect(visit.card("gone with the others")).to_have_count(0)


def _drop_products(url: str) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:
        client.get_default_database().drop_collection("products")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_needs_no_sideways_scrolling(
    browser: Browser, storecast: System, scheme: Literal["light", "dark"]
) -> None:
    """At 360 px everything fits, also a name without a space; the form is folded away until it is wanted."""
    name = scheme + "x" * 190
    await storecast.create(name, description="y" * 300, tags=["z" * 50], category="c" * 64)
    await storecast.ready()
    async with Visit.to(browser, storecast.url, width=PHONE) as visit:
        await visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await visit.is_live()
        await expect(visit.card(name)).to_be_visible()
        await expect(visit.page.get_by_label("Price")).to_be_hidden()
        await visit.page.get_by_role("button", name="New product").click()
        await visit.page.get_by_role("button", name="Add product").click()
        await expect(visit.page.locator(".field-error").first).to_be_visible()
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == PHONE


def batch(name: str, count: int) -> dict[str, Any]:
    """Return the body of a batch of products."""
    return {"items": [{"product": {"name": f"{name} {number}", "price": "1.00"}} for number in range(count)]}
