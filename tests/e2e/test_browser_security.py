"""What the page's browser is kept from, and tokens on the page: in a real Chromium."""

import contextlib
import socket
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.shop import TOKENS, Shop, serving
from tests.e2e.visit import PATIENCE_S, PHONE, WIDTHS, WRITER, Visit, fill, is_signed_in, sign_in
from tests.mongod import Mongod
from tests.system import System
from tests.tokens import token
from tests.waiting import eventually

# What runs if any of it is taken for markup, a script or an address.
HOSTILE = {
    "markup": "<img src=x onerror=window.pwned=1>",
    "a script": "</script><script>window.pwned=1</script>",
    "an address": "javascript:window.pwned=1",
    "quotes": "\"'`><svg/onload=window.pwned=1> ' onmouseover='window.pwned=1",
    "a template": "${window.pwned=1} {{constructor.constructor('window.pwned=1')()}}",
    "right to left": "\u202eabc\u202c \u2066def \u05d0\u05d1\u05d2 \u0627\u0628",
    "nothing to see": "a\u200bb\u200d\u2060\ufeffc\u00ad",
    "entities": "&lt;img src=x onerror=window.pwned=1&gt; &#x3c;",
}
# For how long tokens are good that are to expire: tried in turn, until one lives long enough to sign in with.
LIVES_S = (5, 15, 45)


@pytest.fixture(scope="module")
async def partner() -> AsyncIterator[str]:
    """Another site whose pages may call."""
    async with another_site("") as url:
        yield url


@pytest.fixture(scope="module")
async def shop(mongod: Mongod, partner: str) -> AsyncIterator[Shop]:
    """Anybody reads, and who has a token writes."""
    async with Shop.running(mongod, client_topics=("chat:*",), partners=(partner,), **TOKENS) as shop:
        shop.http.headers["Authorization"] = f"Bearer {token('tests', scope=WRITER)}"
        yield shop


@pytest.fixture(scope="module")
async def closed_shop(mongod: Mongod) -> AsyncIterator[Shop]:
    """Who has a token reads."""
    async with Shop.running(mongod, public_read=False, **TOKENS) as shop:
        shop.http.headers["Authorization"] = f"Bearer {token('tests', scope=WRITER)}"
        yield shop


@pytest.fixture
async def visit(browser: Browser, shop: Shop, width: int) -> AsyncIterator[Visit]:
    """The page, open and live; at the end it is still the one that was loaded."""
    async with Visit.to(browser, shop.url, width=width) as visit:
        await visit.is_live()
        yield visit
        assert visit.loads == 1, "the page was loaded again"


async def add(page: Page, name: str) -> None:
    await fill(page, Name=name, Price="1")
    await page.get_by_role("button", name="Add product").click()


# Nothing that was typed or sent is run.


async def test_text_is_shown_as_text(visit: Visit, shop: Shop) -> None:
    """In each field of a product, live and in the list, in the activity log, in the chat: as it was sent, and inert."""
    page = visit.page
    for text in HOSTILE.values():
        await shop.create(text, description=text, tags=[text[:50]])
        await expect(page.locator("#activity .name").first).to_have_text(text)
        await shows(page.locator(".card").first, text)
        await page.get_by_label("Say something").fill(text)
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#chat .text").last).to_have_text(text)
    await expect(page.locator("#announcement")).to_contain_text(HOSTILE["entities"])
    await is_inert(page)

    await page.reload()
    visit.loads -= 1
    await visit.is_live()
    for card, text in zip(await page.locator(".card").all(), reversed(HOSTILE.values()), strict=False):
        await shows(card, text)
    await is_inert(page)


async def shows(card: Locator, text: str) -> None:
    await expect(card.locator(".name")).to_have_text(text)
    # Letter by letter, where the expectation above makes spaces alike.
    assert await card.locator(".name").text_content() == text
    assert await card.locator(".description").text_content() == text
    # The API takes what stands around a tag for none of it.
    assert await card.locator(".tags").text_content() == text[:50].strip()


async def is_inert(page: Page) -> None:
    assert await page.evaluate("window.pwned") is None
    assert await page.locator("main :is(img, script, svg:not(.picture), a, iframe)").count() == 0


async def test_what_is_typed_is_shown_as_text(visit: Visit) -> None:
    """Of the form's own answers too, and of what is wrong with a field."""
    page = visit.page
    await sign_in(page, token("ann", scope=WRITER))
    await is_signed_in(page, "ann")
    await fill(page, Name=HOSTILE["markup"], Price=HOSTILE["a script"], Category=HOSTILE["quotes"])
    await page.get_by_role("button", name="Add product").click()
    await expect(page.locator(".field-error")).to_have_count(2)
    await fill(page, Price="1", Category="")
    await page.get_by_role("button", name="Add product").click()
    await expect(page.locator("#product-form .message")).to_have_text(f"Added: {HOSTILE['markup']}")
    assert await page.evaluate("window.pwned") is None


async def test_a_name_is_shown_as_text(visit: Visit) -> None:
    """A token that nobody has checked yet may say anything of whom it is."""
    await visit.page.context.set_offline(True)
    await expect(visit.page.locator("#connection")).to_contain_text("Offline")
    await sign_in(visit.page, token(HOSTILE["markup"]))
    await is_signed_in(visit.page, HOSTILE["markup"])
    assert await visit.page.evaluate("window.pwned") is None
    await visit.page.context.set_offline(False)
    await expect(visit.page.locator("#sign-in-reason")).to_contain_text("signed out")
    await visit.is_live()


# What an injected script would want, and the rule by which it is refused.
INJECTIONS = {
    "an inline script": (
        "require-trusted-types-for",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.pwned = 1'}))",
    ),
    "markup": ("require-trusted-types-for", "document.body.innerHTML = '<img src=x onerror=window.pwned=1>'"),
    "a handler": ("require-trusted-types-for", "document.body.setAttribute('onclick', 'window.pwned = 1')"),
    "a policy of its own": ("trusted-types", "trustedTypes.createPolicy('p', {createHTML: (text) => text})"),
    "a module from elsewhere": ("script-src-elem", "import('data:text/javascript,window.pwned=1')"),
    "a style": (
        "style-src-elem",
        "document.head.append(Object.assign(document.createElement('style'), {textContent: 'p { color: red }'}))",
    ),
    "a call elsewhere": ("connect-src", "fetch('http://127.0.0.1:1/')"),
    "a socket elsewhere": ("connect-src", "new WebSocket('ws://127.0.0.1:1/')"),
    "a picture elsewhere": ("img-src", "new Image().src = 'http://127.0.0.1:1/'"),
    "a frame": (
        "frame-src",
        "document.body.append(Object.assign(document.createElement('iframe'), {src: '/livez'}))",
    ),
    "a form": (
        "form-action",
        "document.body.append(Object.assign(document.createElement('form'), {id: 'f', action: '/livez'})); f.submit()",
    ),
    "another base": (
        "base-uri",
        "document.head.append(Object.assign(document.createElement('base'), {href: 'http://127.0.0.1:1/'}))",
    ),
}


async def test_what_is_injected_is_refused(browser: Browser, shop: Shop) -> None:
    """Were something to get in, it could neither run more than itself nor send away what it finds."""
    async with Visit.to(browser, shop.url) as visit:
        await visit.is_live()
        for name, (rule, injection) in INJECTIONS.items():
            visit.complaints.clear()
            await visit.page.evaluate(f"(async () => {{ {injection} }})().catch(() => {{}})")
            await eventually(
                partial(is_refused, visit, rule), message=f"{name} is refused by {rule}", timeout_s=PATIENCE_S
            )
        assert await visit.page.evaluate("window.pwned") is None
        visit.complaints.clear()


def is_refused(visit: Visit, rule: str) -> bool:
    return any(complaint.startswith(f"{rule} ") for complaint in visit.complaints)


@contextlib.asynccontextmanager
async def another_site(document: str) -> AsyncIterator[str]:
    """Serve one document; return its origin. A real one, which the browser takes for as local as the shop is."""
    app = FastAPI()
    app.add_api_route("/", lambda: HTMLResponse(document))
    listener = socket.create_server(("127.0.0.1", 0))
    async with serving(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_no_other_page_frames_this_one(browser: Browser, shop: Shop) -> None:
    """A page round it could have a user press what they do not see; the API's answers are framed no more."""
    paths = ("/", "/docs", "/products", "/static/icon.svg")
    frames = "".join(f"<iframe src={shop.url}{path}></iframe>" for path in paths)
    async with another_site(frames) as url, await browser.new_page() as page:
        await page.goto(url)
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"] * len(paths)


CALLS = """async ([api, emitter]) => {
  const json = {"Content-Type": "application/json"};
  const body = JSON.stringify({name: "from elsewhere", price: "1"});
  const opened = (source) => new Promise((resolve, reject) => {
    source.onopen = resolve;
    source.onerror = reject;
  });
  const tried = [
    fetch(`http://${api}/products`),
    fetch(`http://${api}/products`, {method: "POST", headers: json, body}),
    fetch(`http://${emitter}/websocket-service/?EIO=4&transport=polling`, {credentials: "include"}),
    opened(new WebSocket(`ws://${emitter}/websocket-service/?EIO=4&transport=websocket`)),
    opened(new WebSocket(`ws://${emitter}/websocket-service/raw`)),
    opened(new EventSource(`http://${emitter}/websocket-service/sse`)),
  ];
  return (await Promise.allSettled(tried)).map(({status}) => status);
}"""


@pytest.mark.parametrize(("is_named", "outcome"), [(False, "rejected"), (True, "fulfilled")])
async def test_a_page_of_another_origin_does_what_it_may(
    browser: Browser, shop: Shop, partner: str, outcome: str, *, is_named: bool
) -> None:
    """Neither a call nor a socket, unless its origin is named."""
    async with another_site("") as elsewhere, await browser.new_page() as page:
        await page.goto(partner if is_named else elsewhere)
        called = await page.evaluate(CALLS, [shop.url.removeprefix("http://"), shop.emitter.address])
        assert called == [outcome] * 6


# Tokens.


async def test_without_tokens_there_is_nothing_to_sign_in_with(browser: Browser, storecast: System) -> None:
    """Where none is asked for, the page says nothing of them, and sends none that is left of another time."""
    async with Visit.to(browser, storecast.url) as visit:
        await visit.page.evaluate("sessionStorage.setItem('storecast.token', 'left over')")
        await visit.page.reload()
        await visit.is_live()
        await expect(visit.page.locator(":text('sign in'):visible")).to_have_count(0)
        await add(visit.page, "without a token")
        await expect(visit.card("without a token")).to_have_count(1)
        assert await kept_token(visit.page) is None


@WIDTHS
async def test_who_signs_in_may_write(visit: Visit, shop: Shop, width: int) -> None:
    """Reading takes no token; adding says that it does, leads to where to paste one, and goes on from there."""
    page, before, added = visit.page, f"there already {width}", f"by ann {width}"
    await shop.create(before)
    await expect(visit.card(before)).to_be_visible()
    await add(page, added)
    await expect(page.locator("#sign-in-reason")).to_contain_text("takes a token")
    await expect(page.locator("#product-form .message")).to_contain_text("sign in, then press Add product again")
    await expect(page.get_by_label("Token", exact=True)).to_be_focused()

    await page.keyboard.type(token("ann", scope=WRITER))
    await page.keyboard.press("Enter")
    await is_signed_in(page, "ann")
    await expect(page.get_by_role("button", name="Add product")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(visit.card(added)).to_have_count(1)
    await expect(page.locator("#chat .self")).to_contain_text("You are ann")


async def test_the_running_connection_is_kept(visit: Visit, shop: Shop) -> None:
    """Who signs in is who the token says at once, for the emitter too: no other connection is made."""
    said = visit.page.locator("#chat .self")
    await expect(said).to_contain_text("You are guest ")
    # A guest is called by the beginning of the connection's id.
    guest = ((await said.text_content()) or "").split()[3]

    def ours() -> list[tuple[str, str | None]]:
        members = [each.member for each in shop.emitter.hub.subscriptions.everyone()]
        return [(each.sid, each.user) for each in members if each.sid.startswith(guest) or each.user == "bea"]

    [(sid, user)] = ours()
    assert user is None
    await sign_in(visit.page, token("bea", scope=WRITER))
    await is_signed_in(visit.page, "bea")
    assert ours() == [(sid, "bea")]


@pytest.mark.parametrize(
    ("shown", "said"),
    [("nonsense", "not signed with a key"), ("expired", "has expired"), ("another", "for someone else")],
)
async def test_a_bad_token_is_refused_with_the_reason(visit: Visit, shown: str, said: str) -> None:
    """Beside the field, in words, with nothing kept; a good one is taken in its place."""
    bad = {"expired": token("ann", exp=int(time.time()) - 60), "another": token("ann", aud="another")}
    page = visit.page
    await sign_in(page, bad.get(shown, shown))
    await expect(page.locator("#sign-in-panel .message")).to_contain_text(said)
    await expect(page.get_by_label("Token", exact=True)).to_be_focused()
    assert await kept_token(page) is None
    await sign_in(page, token("ann", scope=WRITER))
    await is_signed_in(page, "ann")


async def test_a_token_without_the_scope_is_told_what_it_lacks(visit: Visit) -> None:
    """It goes on being good for what it has, until another is pasted: that one comes anew, as it may be somebody's."""
    page = visit.page
    await sign_in(page, token("ann"))
    await is_signed_in(page, "ann")
    await add(page, "by bob")
    await expect(page.locator("#sign-in-reason")).to_contain_text("lacks the scope products:write")
    await sign_in(page, token("bob", scope=WRITER))
    await is_signed_in(page, "bob")
    await page.get_by_role("button", name="Add product").click()
    await expect(visit.card("by bob")).to_have_count(1)
    await visit.is_live()


async def test_a_token_is_kept_for_the_tab_alone(browser: Browser, shop: Shop) -> None:
    """In no URL, no cookie, no other storage, not in the document; a reload keeps it, signing out forgets it."""
    secret = token("kim", scope=WRITER)
    urls: list[str] = []
    async with Visit.to(browser, shop.url) as visit:
        page = visit.page
        page.on("request", lambda request: urls.append(request.url))
        page.on("websocket", lambda websocket: urls.append(websocket.url))
        await visit.is_live()
        await sign_in(page, secret)
        await is_signed_in(page, "kim")
        assert secret not in await values(page)
        await page.reload()
        await visit.is_live()
        await is_signed_in(page, "kim")
        async with page.expect_request(lambda request: request.method == "POST" and "/products" in request.url) as sent:
            await add(page, "kept")
        await expect(visit.card("kept")).to_have_count(1)

        assert secret not in await page.content()
        assert secret not in await values(page)
        assert await page.evaluate("[localStorage.length, document.cookie, history.state]") == [0, "", None]
        assert secret not in "".join([page.url, *urls])
        assert (await sent.value).headers["authorization"] == f"Bearer {secret}"
        async with page.context.expect_page() as opened:
            await page.evaluate("open('/', '', 'noopener')")
        other = await opened.value
        await other.wait_for_load_state()
        assert (other.url, await kept_token(other)) == (f"{shop.url}/", None)

        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("#identity .sign-in")).to_be_visible()
        assert await kept_token(page) is None
        await visit.is_live()
        await eventually(
            lambda: not connections(shop, "kim"), message="no connection is whose it was", timeout_s=PATIENCE_S
        )


async def values(page: Page) -> list[str]:
    """Return what stands in the fields."""
    return list(await page.evaluate("[...document.querySelectorAll('input')].map(({value}) => value)"))


async def kept_token(page: Page) -> str | None:
    """Return what the tab has kept of a token. It keeps its place in the log beside it, which is nobody's secret."""
    return str(kept) if (kept := await page.evaluate("sessionStorage.getItem('storecast.token')")) else None


def connections(shop: Shop, user: str) -> list[str]:
    """Return the ids of a user's connections. A user has one test: closed pages are missed only later."""
    members = [each.member for each in shop.emitter.hub.subscriptions.everyone()]
    return [member.sid for member in members if member.user == user]


async def sign_in_for_a_moment(page: Page, user: str, scope: str) -> int:
    """Sign in with a token that is about to expire, once the page has said so; return when it expires."""
    reason, complaint = page.locator("#sign-in-reason"), page.locator("#sign-in-panel .message")
    for life_s in LIVES_S:
        expires_at = int(time.time()) + life_s
        await sign_in(page, token(user, scope=scope, exp=expires_at))
        await expect(reason.or_(complaint).filter(has_text="expire").first).to_be_visible()
        if "expire" in (await reason.text_content() or ""):
            return expires_at
    raise AssertionError("no token lived long enough to sign in with")


async def test_an_expiry_is_said_and_a_new_token_goes_on(visit: Visit, shop: Shop) -> None:
    """Ahead, and when it has come: what was typed is still there, and nothing is loaded again."""
    page = visit.page
    await sign_in_for_a_moment(page, "dora", WRITER)
    await expect(page.get_by_label("Token", exact=True)).to_have_value("")
    await fill(page, Name="typed before", Price="1")
    await expect(page.locator("#sign-in-reason")).to_contain_text("has expired")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#identity .who")).to_be_hidden()

    await sign_in(page, token("dora", scope=WRITER))
    await is_signed_in(page, "dora")
    await page.get_by_role("button", name="Add product").click()
    await expect(visit.card("typed before")).to_have_count(1)
    assert len(connections(shop, "dora")) == 1


async def test_a_token_that_is_renewed_in_time_is_never_missed(visit: Visit, shop: Shop) -> None:
    """The connection outlives the first one, and its end is not told any more."""
    page = visit.page
    expires_at = await sign_in_for_a_moment(page, "eva", WRITER)
    before = connections(shop, "eva")
    await sign_in(page, token("eva", scope=WRITER))
    await expect(page.locator("#sign-in-panel")).to_be_hidden()
    await eventually(lambda: time.time() > expires_at + 0.5, message="the first one has expired", timeout_s=60)
    await is_signed_in(page, "eva")
    assert len(before) == 1
    assert connections(shop, "eva") == before


async def test_a_kept_token_that_has_expired_is_given_up(browser: Browser, shop: Shop) -> None:
    """Who comes back to the tab later reads on, and is told."""
    expired = token("ann", exp=int(time.time()) - 60)
    async with Visit.to(browser, shop.url) as visit:
        await visit.page.evaluate("(token) => sessionStorage.setItem('storecast.token', token)", expired)
        await visit.page.reload()
        await visit.is_live()
        await expect(visit.page.locator("#sign-in-reason")).to_contain_text("signed out: the token has expired")
        assert await kept_token(visit.page) is None


async def test_closed_reading_asks_before_it_reads(browser: Browser, closed_shop: Shop) -> None:
    """Nothing is asked for before there is a token; with one, all of it is there, live."""
    await closed_shop.create("for those who may")
    asked: list[str] = []
    async with Visit.to(browser, closed_shop.url) as visit:
        visit.page.on("request", lambda request: asked.append(request.url))
        await expect(visit.page.locator("#sign-in-reason")).to_have_text("Sign in to see the products.")
        await expect(visit.page.locator("#connection")).to_contain_text("Not connected")
        await expect(visit.page.locator("#list-message")).to_be_empty()
        assert not [url for url in asked if "/products" in url or "/websocket-service" in url]

        await sign_in(visit.page, token("ann"))
        await expect(visit.page.locator("#sign-in-panel .message")).to_contain_text("scope products:read")
        await sign_in(visit.page, token("ann", scope="products:read"))
        await is_signed_in(visit.page, "ann")
        await visit.is_live()
        await expect(visit.card("for those who may")).to_be_visible()
        await closed_shop.create("heard live")
        await expect(visit.card("heard live")).to_be_visible()

        await visit.page.get_by_role("button", name="Sign out").click()
        await expect(visit.page.locator("#sign-in-reason")).to_have_text("Sign in to see the products.")
        await expect(visit.page.locator(".card")).to_have_count(0)


async def test_closed_reading_goes_on_after_an_expiry(browser: Browser, closed_shop: Shop) -> None:
    """What changed while nobody was signed in is caught up with, without a reload; so is a lesser token found out."""
    async with Visit.to(browser, closed_shop.url) as visit:
        page = visit.page
        await sign_in_for_a_moment(page, "ann", "products:read")
        await expect(page.locator("#sign-in-reason")).to_contain_text("has expired")
        await expect(page.locator("#connection")).to_contain_text("Not connected")
        await closed_shop.create("made meanwhile")
        await sign_in(page, token("ann", scope="products:read"))
        await is_signed_in(page, "ann")
        await expect(visit.card("made meanwhile")).to_be_visible()
        assert visit.loads == 1


async def test_a_lesser_token_does_not_go_silent(browser: Browser, closed_shop: Shop) -> None:
    """Where the new token may not read, the page says so instead of showing what is old as if it were live."""
    async with Visit.to(browser, closed_shop.url) as visit:
        await sign_in(visit.page, token("ann", scope="products:read", exp=int(time.time()) + 55))
        await expect(visit.page.locator("#sign-in-reason")).to_contain_text("expires in")
        await sign_in(visit.page, token("ann"))
        await expect(visit.page.locator("#sign-in-panel .message")).to_contain_text("scope products:read")
        await expect(visit.page.locator("#connection")).to_contain_text("Not connected")


async def test_signing_in_fits_a_phone(browser: Browser, shop: Shop) -> None:
    """At 360 px, with the longest name that a token can have."""
    async with Visit.to(browser, shop.url, width=PHONE) as visit:
        await visit.is_live()
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == PHONE
        await sign_in(visit.page, "x" * 300)
        await expect(visit.page.locator("#sign-in-panel .message")).to_be_visible()
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == PHONE
        await sign_in(visit.page, token("a" * 100))
        await is_signed_in(visit.page, "a" * 100)
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == PHONE
