"""Changing and deleting products where they stand on the live page, in a real browser."""

import re
from http import HTTPStatus
from typing import Any

from playwright.async_api import Browser, Locator, Route, expect

from tests.e2e.shop import TOKENS, Shop
from tests.e2e.visit import WIDTHS, WRITER, Visit, is_signed_in, sign_in
from tests.mongod import Mongod
from tests.tokens import token


async def edit(card: Locator, **fields: str) -> None:
    """Open the form in a card, and type into its fields."""
    await card.get_by_role("button", name="Edit").click()
    for label, text in fields.items():
        await card.page.locator(".editor").get_by_label(label, exact=label != "Tags").fill(text)


async def save(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Save").click()


async def answer(shop: Shop, product: dict[str, Any]) -> dict[str, Any]:
    """Return the product as it is by now."""
    return dict((await shop.http.get(f"/products/{product['id']}")).json())


@WIDTHS
async def test_a_product_is_changed_in_its_card(browser: Browser, open_shop: Shop, width: int) -> None:
    """What was changed is sent, and nothing else; the card has it, the activity says who took it, it is announced."""
    name = f"oak tray {width}"
    product = await open_shop.create(name, category="kitchen", tags=["oak", "gift"], stock=3, description="For two.")
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        await edit(visit.card(name), Price="12.50", Stock="", Tags="oak")
        async with visit.page.expect_request(lambda request: request.method == "PATCH") as sent:
            await save(visit)
        request = await sent.value
        assert request.post_data_json == {"price": "12.50", "stock": None, "tags": ["oak"]}
        assert request.headers["if-match"] == '"1"'
        await expect(visit.card(name).locator(".price")).to_have_text("$12.50")
        await expect(visit.card(name).locator(".tags li")).to_have_text(["oak"])
        await expect(visit.card(name).locator(".stock")).to_be_empty()
        await visit.was_told(f"Saved: {name}")
        await expect(visit.page.locator(".editor")).to_have_count(0)
        await expect(visit.card(name).get_by_role("button", name="Edit")).to_be_focused()
        line = visit.page.locator("#activity li").filter(has_text=name)
        await expect(line.locator(".path")).to_have_text("api-1 → emitter-1")
        await expect(line.locator(".event")).to_have_text("changed")
    assert (await answer(open_shop, product))["description"] == "For two."


async def test_what_is_wrong_with_a_change_stands_beside_its_field(browser: Browser, open_shop: Shop) -> None:
    """The form stays open, with what was typed; Escape leaves all as it was."""
    product = await open_shop.create("linen towel")
    async with Visit.to(browser, open_shop.url) as visit:
        await visit.is_live()
        await edit(visit.card("linen towel"), Name="", Price="-1")
        await save(visit)
        for label in ("Name", "Price"):
            field = visit.page.locator(".editor").get_by_label(label, exact=True)
            await expect(field).to_have_attribute("aria-invalid", "true")
            await expect(field).to_have_accessible_description(re.compile(r"\w+"))
        await visit.page.keyboard.press("Escape")
        await expect(visit.card("linen towel").get_by_role("button", name="Edit")).to_be_focused()
        assert await answer(open_shop, product) == product


async def test_a_change_of_somebody_else_is_not_overwritten_unseen(browser: Browser, open_shop: Shop) -> None:
    """Who saves over it is told first, and then has their way with the fields that they changed."""
    product = await open_shop.create("wool blanket", stock=3)
    async with Visit.to(browser, open_shop.url) as visit:
        await visit.is_live()
        await edit(visit.card("wool blanket"), Price="9")
        await open_shop.http.patch(f"/products/{product['id']}", json={"stock": 2, "price": "8"})
        await save(visit)
        await expect(visit.page.locator(".editor .message")).to_contain_text("Somebody has changed it meanwhile")
        assert (await answer(open_shop, product))["price"] == "8.00"
        await save(visit)
        await expect(visit.card("wool blanket").locator(".price")).to_have_text("$9.00")
        await expect(visit.card("wool blanket").locator(".stock")).to_have_text("2 in stock")


@WIDTHS
async def test_a_product_is_deleted_from_its_card(browser: Browser, open_shop: Shop, width: int) -> None:
    """Only once that is confirmed; the focus goes on to the next card."""
    below, product = await open_shop.create(f"below {width}"), await open_shop.create(f"doomed {width}")
    async with Visit.to(browser, open_shop.url, width=width) as visit:
        await visit.is_live()
        card = visit.card(product["name"])
        await card.get_by_role("button", name="Delete").click()
        await expect(visit.page.get_by_role("button", name="Keep")).to_be_focused()
        await visit.page.keyboard.press("Enter")
        await expect(card.get_by_role("button", name="Delete")).to_be_focused()
        await visit.page.keyboard.press("Enter")
        await card.locator(".deletion").get_by_role("button", name="Delete").click()
        await expect(card).to_have_count(0)
        await visit.was_told(f"Deleted: {product['name']}")
        await expect(visit.card(below["name"]).get_by_role("button", name="Edit")).to_be_focused()
        line = visit.page.locator("#activity li").filter(has_text=product["name"])
        await expect(line.locator(".path")).to_have_text("api-1 → emitter-1")
    assert (await open_shop.http.get(f"/products/{product['id']}")).status_code == HTTPStatus.NOT_FOUND


async def test_what_somebody_else_deleted_meanwhile_is_gone_without_a_complaint(
    browser: Browser, open_shop: Shop
) -> None:
    """Both wanted the same. Where no answer comes, that is said, and it may be asked for again."""
    product = await open_shop.create("twice doomed")
    path = f"/products/{product['id']}"

    async def be_faster(route: Route) -> None:
        await open_shop.http.delete(path)
        await route.continue_()

    async with Visit.to(browser, open_shop.url) as visit:
        await visit.is_live()
        await visit.card("twice doomed").get_by_role("button", name="Delete").click()
        sure = visit.page.locator(".deletion").get_by_role("button", name="Delete")
        await visit.page.route(f"**{path}", lambda route: route.abort(), times=1)
        await sure.click()
        await expect(visit.page.locator(".deletion .message")).to_contain_text("No answer from the server")
        await visit.page.route(f"**{path}", be_faster)
        async with visit.page.expect_response(f"**{path}") as answered:
            await sure.click()
        assert (await answered.value).status == HTTPStatus.NOT_FOUND
        await expect(visit.card("twice doomed")).to_have_count(0)
        await visit.was_told("Deleted: twice doomed")


async def test_changing_takes_a_token_where_adding_does(browser: Browser, mongod: Mongod) -> None:
    """It says so, leads to where to paste one, and goes on from there with what was typed."""
    async with Shop.running(mongod, **TOKENS) as shop:
        shop.http.headers["Authorization"] = f"Bearer {token('tests', scope=WRITER)}"
        await shop.create("guarded")
        async with Visit.to(browser, shop.url) as visit:
            await visit.is_live()
            await edit(visit.card("guarded"), Price="2")
            await save(visit)
            await expect(visit.page.locator(".editor .message")).to_have_text(
                "Not saved yet: sign in, then press Save again."
            )
            await sign_in(visit.page, token("ann", scope=WRITER))
            await is_signed_in(visit.page, "ann")
            await expect(visit.page.get_by_role("button", name="Save")).to_be_focused()
            await save(visit)
            await expect(visit.card("guarded").locator(".price")).to_have_text("$2.00")
