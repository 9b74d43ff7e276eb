"""The operator view in a real browser: several emitters behind a proxy, and stock clients that are sent elsewhere."""

import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.shop import TOKENS, Shop
from tests.e2e.test_page_looks import AXE, Album
from tests.e2e.visit import DESKTOP, PHONE, WIDTHS, Visit, is_signed_in, sign_in
from tests.listening import Listener
from tests.mongod import Mongod, unused_database
from tests.system import System
from tests.tokens import token
from tests.waiting import eventually

CLIENTS = 12
WITHIN_S = 30
HIDDEN = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
async def system(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Three emitters and two replicas behind HAProxy, without tokens."""
    folder = tmp_path_factory.mktemp("operate")
    url = mongod.url(unused_database())
    async with System.running(folder, url, 2, emitters=3, gateway="haproxy", drain_seconds=1) as running:
        yield running


@asynccontextmanager
async def operating(browser: Browser, url: str, width: int = DESKTOP) -> AsyncIterator[tuple[Page, Album]]:
    """Open the operator view; all that it shows can be used by everybody."""
    async with Visit.to(browser, url, width=width, path="/operate") as visit:
        await visit.page.emulate_media(reduced_motion="reduce")
        await visit.page.evaluate(AXE.read_text(encoding="utf-8"))
        yield visit.page, Album(visit.page, width)


def card(page: Page, node: str) -> Locator:
    return page.get_by_role("listitem", name=node, exact=True)


async def is_fresh(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def nodes(listener: Listener) -> list[str]:
    """Return the emitter that each client is on."""
    return [client.messages("welcome")[-1]["node"] for client in listener.clients]


@pytest.mark.parametrize(("width", "node"), [(DESKTOP, "emitter-2"), (PHONE, "emitter-3")])
async def test_an_emitter_is_drained_by_its_button(browser: Browser, system: System, width: int, node: str) -> None:
    """After a question that says what becomes of them, its clients go to the others, and have missed nothing."""
    async with (
        Listener(system.url, count=CLIENTS, transports=["websocket"]) as listener,
        operating(browser, system.url, width) as (page, album),
    ):
        await is_fresh(page)
        there = nodes(listener).count(node)
        assert there
        await expect(card(page, node).locator(".connections")).to_have_text(str(there))
        await expect(card(page, node).locator(".state")).to_have_text("Ready")
        await album.take("operate")

        drain = card(page, node).get_by_role("button", name="Drain")
        await drain.click()
        question = page.get_by_role("form", name=f"Drain {node}")
        await expect(question).to_contain_text("would be sent to the others")
        await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
        await album.take("operate-drain")
        await page.keyboard.press("Escape")
        await expect(question).to_have_count(0)
        await expect(drain).to_be_focused()

        await page.keyboard.press("Enter")
        await question.get_by_role("button", name="Drain").click()
        await expect(page.locator("#toast")).to_contain_text(f"{node} drains")
        await expect(card(page, node).locator(".state")).to_contain_text("Draining")
        await expect(card(page, node).locator(".connections")).to_have_text("0")
        await expect(card(page, node).get_by_role("button")).to_have_count(0)
        await expect(card(page, node)).to_be_focused()
        await eventually(lambda: node not in nodes(listener), message="all are elsewhere", timeout_s=WITHIN_S)
        product = await system.create(f"after {node}")
        for client in listener.clients:
            [heard] = await client.heard(1)
            assert heard.payload["id"] == product["id"]
        assert all(connect["recovered"] for client in listener.clients for connect in client.of("connect")[1:])
        await album.take("operate-drained")


async def test_clients_are_sent_away_down_to_a_number(browser: Browser, system: System) -> None:
    """What is proposed is an even share; what is wrong with a number is said, and nobody is sent away for it."""
    async with (
        Listener(system.url, count=CLIENTS, transports=["websocket"]) as listener,
        operating(browser, system.url) as (page, album),
    ):
        await is_fresh(page)
        at = card(page, "emitter-1")
        await expect(at.locator(".connections")).to_have_text(str(nodes(listener).count("emitter-1")))
        await at.get_by_role("button", name="Rebalance").click()
        question = page.get_by_role("form", name="Rebalance emitter-1")
        await expect(question.get_by_label("Clients to be left")).to_be_focused()
        await question.get_by_label("Clients to be left").fill("-1")
        await page.keyboard.press("Enter")
        await expect(question.locator(".message")).to_contain_text("target")
        await album.take("operate-rebalance")
        before = [len(client.messages("welcome")) for client in listener.clients]
        await question.get_by_label("Clients to be left").fill("1")
        await question.get_by_role("button", name="Send away").click()
        await expect(page.locator("#toast")).to_contain_text("emitter-1 sends")

        def come_again() -> bool:
            return [len(client.messages("welcome")) for client in listener.clients] != before

        await eventually(come_again, message="clients were sent away", timeout_s=WITHIN_S)


async def test_what_does_not_answer_is_said(browser: Browser, system: System) -> None:
    """What was last seen stays, and looks old: where Redis hangs, and where no replica is there."""
    async with operating(browser, system.url) as (page, album):
        await is_fresh(page)
        await expect(card(page, "emitter-1")).to_be_visible()
        redis = system.processes["redis"]
        redis.send(signal.SIGSTOP)
        try:
            await expect(page.locator("#emitters .message")).to_contain_text("Redis")
            await expect(page.locator("#feed .message")).to_be_empty()
            await expect(card(page, "emitter-1")).to_be_visible()
            await album.take("operate-redis-away")
        finally:
            redis.send(signal.SIGCONT)
        await expect(page.locator("#emitters .message")).to_be_empty()
        for name in system.api_urls:
            await system.kill(name)
        await expect(page.locator("#connection .state")).to_have_text("No answer")
        await expect(page.locator("#connection .note")).to_contain_text("Shown is what was seen at")
        await album.take("operate-away")
        for name in system.api_urls:
            system.start(name)
        await is_fresh(page)


@WIDTHS
async def test_what_is_wrong_stands_out(browser: Browser, open_shop: Shop, width: int) -> None:
    """Nobody who leads, events that wait, emitters that do not hear or answer, a loop that is late: all at once."""
    emitters = [
        {"node": "emitter-10", "state": "deaf", "connections": 4_200, "lag_ms": 80.0},
        {"node": "emitter-2", "state": "waiting", "connections": 1, "lag_ms": 0.5},
    ]
    feed = {"leader": None, "log_end": 12_345, "undelivered_events": 1_200, "undelivered_age_s": 75.0}
    cluster = {"emitters": emitters, "silent_nodes": ["emitter-3"]}
    seen = {"feed": feed, "feed_away": None, "cluster": cluster, "cluster_away": None}
    async with operating(browser, open_shop.url, width) as (page, album):
        await page.route("**/operate/state", lambda route: route.fulfill(json=seen))
        await expect(page.locator("#feed .bad")).to_have_text(["nobody", "1,200", "1 min"])
        await expect(page.locator("#log-end")).to_have_text("12,345")
        await expect(page.locator(".emitter .name")).to_have_text(["emitter-2", "emitter-3", "emitter-10"])
        await expect(card(page, "emitter-3").locator(".state")).to_have_text("Does not answer")
        await expect(card(page, "emitter-10").locator(".state")).to_have_text("Deaf: hears no Redis")
        await expect(card(page, "emitter-10").locator(".bad")).to_have_text("80.0 ms")
        await expect(page.locator(".count")).to_have_text("0 of 2 ready, 4,201 clients")
        await expect(page.locator(".emitter .actions:visible")).to_have_count(2)
        await album.take("operate-wrong")


async def test_a_page_that_is_not_in_sight_asks_for_nothing(browser: Browser, system: System) -> None:
    """It asks again and again while it is seen, and at once when it is seen again."""
    state = "**/operate/state"
    async with operating(browser, system.url) as (page, _):
        await page.clock.install()
        await page.reload()
        await is_fresh(page)
        asked: list[str] = []
        answered: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfinished", lambda request: answered.append(request.url))
        async with page.expect_response(state):
            await page.clock.run_for(3_000)
        await page.evaluate(HIDDEN, arg=True)
        await eventually(lambda: len(answered) >= len(asked), message="none is under way", timeout_s=WITHIN_S)
        before = len(asked)
        await page.clock.run_for(60_000)
        assert len(asked) == before
        async with page.expect_response(state):
            await page.evaluate(HIDDEN, arg=False)


@WIDTHS
async def test_operating_takes_a_token_with_the_scope(browser: Browser, mongod: Mongod, width: int) -> None:
    """It is asked for, wrong ones are refused with the reason, and what was seen is gone with the token."""
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(Shop.running(mongod, **TOKENS))
        page, album = await stack.enter_async_context(operating(browser, shop.url, width))
        await expect(page.locator("#connection .state")).to_have_text("Not signed in")
        await expect(page.locator("#sign-in-reason")).to_contain_text("scope operate")
        await album.take("operate-sign-in")
        await sign_in(page, token("ann", scope="products:write"))
        await expect(page.locator("#sign-in-panel .message")).to_contain_text("lacks the scope operate")
        await expect(page.locator("#system")).to_be_hidden()
        await sign_in(page, token("ann", scope="operate"))
        await is_signed_in(page, "ann")
        await is_fresh(page)
        at = card(page, "emitter-1")
        await at.get_by_role("button", name="Drain").click()
        question = page.get_by_role("form", name="Drain emitter-1")
        await expect(question).to_contain_text("No other emitter is ready")
        await album.take("operate-lone")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("#connection .state")).to_have_text("Not signed in")
        await expect(page.locator("#system")).to_be_hidden()
        await sign_in(page, token("ann", scope="operate", exp=int(time.time()) + 4))
        await is_fresh(page)
        await expect(page.locator("#sign-in-reason")).to_contain_text("the token has expired")
        await expect(page.locator("#system")).to_be_hidden()


async def test_the_catalogue_leads_there_and_back(browser: Browser, open_shop: Shop) -> None:
    """By a quiet link; whoever is signed in on the one is on the other."""
    async with Visit.to(browser, open_shop.url) as visit:
        await visit.is_live()
        await visit.page.get_by_role("link", name="For operators").click()
        await is_fresh(visit.page)
        await expect(visit.page.locator("#leader")).to_have_text("api-1")
        await visit.page.get_by_role("link", name="Live catalogue").click()
        await visit.is_live()
