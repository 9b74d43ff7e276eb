"""The client module in a real Chromium, from the emitter and without a build step; and the examples in its README."""

import asyncio
import contextlib
import signal
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, Error, Page, expect

from shared.emitter_api import Batch
from tests.client import SOURCES, Package
from tests.documents.markdown import blocks
from tests.e2e.shop import serving
from tests.e2e.visit import PATIENCE_S
from tests.events import EPOCH, event, live
from tests.integration.emitter import Emitter
from tests.tokens import JWT_SECRET, token
from tests.tools import require
from tests.waiting import eventually

HOST = "https://HOST"
_SAYS_WITHIN_S = 60

# What a page's script may do; the emitter's origin is its argument.
LISTEN = """async (origin) => {
  const { connect } = await import(`${origin}/websocket-service/client.js`);
  window.told = [];
  const connection = connect({
    origin,
    onEvent: ({ meta }) => told.push(meta.seq),
    onGap: ({ reason }) => told.push(reason),
    onState: ({ name }) => told.push(name),
  });
  window.drop = () => connection.socket.io.engine.close();
  window.bePatient = () => connection.socket.io.reconnectionDelay(600_000).reconnectionDelayMax(600_000);
}"""

# A token that is refused, and then one that takes its time; and a storage in which there is no room.
RENEW = """async ([origin, bad, good]) => {
  Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
  const { connect } = await import(`${origin}/websocket-service/client.js`);
  window.told = [];
  const token = () => told.length === 0
    ? (told.push("old"), bad)
    : (told.push("asked"), new Promise((resolve) => { window.give = () => resolve(good); }));
  connect({
    origin,
    token,
    onEvent: ({ meta }) => told.push(meta.seq),
    onGap: ({ reason }) => told.push(reason),
    onState: ({ name }) => told.push(name),
  });
}"""


def example(language: str, origin: str) -> str:
    """Return the README's example in a language, for an origin."""
    [found] = [block.text for block in blocks(SOURCES / "README.md") if block.language == language]
    assert HOST in found
    return found.replace(HOST, origin)


@contextlib.asynccontextmanager
async def site(*, is_named: bool = True, **fields: Any) -> AsyncIterator[tuple[str, Emitter]]:
    """Serve the README's page; its origin, and an emitter of another origin, which names it or does not."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with Emitter.running(allowed_origins=[origin] if is_named else [], **fields) as emitter:
        await emitter.open()
        app = FastAPI()
        # A browser that is told of no icon asks for one.
        document = f"<link rel=icon href=data:,>{example('html', f'http://{emitter.address}')}"
        app.add_api_route("/", lambda: HTMLResponse(document))
        app.add_api_route("/empty", lambda: HTMLResponse("<title>empty</title>"))
        async with serving(app, listener):
            yield origin, emitter


async def told(page: Page, expected: list[Any]) -> None:
    async def as_expected() -> bool:
        return bool(await page.evaluate("window.told") == expected)

    try:
        await eventually(as_expected, message="", timeout_s=PATIENCE_S)
    except AssertionError:
        raise AssertionError(f"told {await page.evaluate('window.told')}, not {expected}") from None


async def test_the_page_of_the_readme_listens(browser: Browser) -> None:
    """Copied as it stands there: it says that it is live, what has to be read, and what it hears."""
    async with site() as (origin, emitter), await browser.new_page() as page:
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await page.goto(origin)
        lines = page.locator("li")
        await expect(lines).to_have_text(["live", "the products have to be read anew: new"])
        await emitter.post(Batch(epoch=EPOCH, events=[event(1, payload={"name": "Moka pot"})]))
        await expect(lines.last).to_have_text("new_product: Moka pot")
        assert errors == []


async def test_a_reload_goes_on_where_it_was(browser: Browser) -> None:
    """The tab knows its place: what was missed is heard, once, and no gap is told. Another tab begins for itself."""
    async with site() as (origin, emitter), await browser.new_page() as page, await browser.new_page() as other:
        url = f"{origin}/empty"
        await page.goto(url)
        await page.evaluate(LISTEN, f"http://{emitter.address}")
        await told(page, ["live", "new"])
        await emitter.post(live(1, 2))
        await told(page, ["live", "new", 1, 2])

        await page.reload()
        await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="it has gone")
        await emitter.post(live(3, 4))
        await page.evaluate(LISTEN, f"http://{emitter.address}")
        await told(page, ["live", 3, 4])
        await emitter.post(live(5, 5))
        await told(page, ["live", 3, 4, 5])

        await page.evaluate("drop()")
        await told(page, ["live", 3, 4, 5, "reconnecting"])
        await emitter.post(live(6, 6))
        await told(page, ["live", 3, 4, 5, "reconnecting", "live", 6])
        assert await page.evaluate("Object.values(sessionStorage)") == ["e1:6"]

        await other.goto(url)
        await other.evaluate(LISTEN, f"http://{emitter.address}")
        await told(other, ["live", "new"])


async def test_it_comes_back_with_the_network(browser: Browser) -> None:
    """At once, however long the next try would have been waited for."""
    async with site() as (origin, emitter), await browser.new_page() as page:
        await page.goto(f"{origin}/empty")
        await page.evaluate(LISTEN, f"http://{emitter.address}")
        await told(page, ["live", "new"])
        await page.evaluate("() => void bePatient()")
        await page.context.set_offline(True)
        await told(page, ["live", "new", "reconnecting"])
        await emitter.post(live(1, 1))
        await page.context.set_offline(False)
        await told(page, ["live", "new", "reconnecting", "reconnecting", "live", 1])


async def test_the_network_that_comes_back_does_not_cost_the_new_token(browser: Browser) -> None:
    """The old one is not shown a second time meanwhile, which would be the end; nor is a full storage one."""
    async with site(auth="jwt", jwt_secret=JWT_SECRET) as (origin, emitter), await browser.new_page() as page:
        await page.goto(f"{origin}/empty")
        await page.evaluate(RENEW, [f"http://{emitter.address}", "nonsense", token("ann")])
        await told(page, ["old", "asked"])
        await page.evaluate("() => void dispatchEvent(new Event('online'))")
        # As long as a handshake would take.
        for _ in range(5):
            await page.evaluate(
                "(origin) => fetch(`${origin}/websocket-service/client.js`)", f"http://{emitter.address}"
            )
        await page.evaluate("give()")
        await told(page, ["old", "asked", "live", "new"])
        await emitter.post(live(1, 1))
        await told(page, ["old", "asked", "live", "new", 1])


async def test_a_page_of_another_origin_cannot_import_it(browser: Browser) -> None:
    """Its browser is told nothing by which it may."""
    async with site(is_named=False) as (origin, emitter), await browser.new_page() as page:
        await page.goto(f"{origin}/empty")
        with pytest.raises(Error, match="Failed to fetch dynamically imported module"):
            await page.evaluate(LISTEN, f"http://{emitter.address}")


async def test_the_program_of_the_readme_listens(tmp_path: Path) -> None:
    """In Node, from the package: it hears the topics that it asks for, and ends when it is told to."""
    node = require("node", "install Node.js")
    package = Package.installed(tmp_path)
    async with Emitter.running() as emitter:
        await emitter.open()
        program = tmp_path / "listen.mjs"
        program.write_text(example("js", f"http://{emitter.address}"))
        process = await asyncio.create_subprocess_exec(node, program.name, cwd=package.project, stdout=PIPE)
        try:
            await eventually(emitter.hub.subscriptions.everyone, message="it listens")
            books = event(2, "category:books", payload={"name": "A book"})
            await emitter.post(Batch(epoch=EPOCH, events=[event(1, payload={"name": "A toy"}), books]))
            assert process.stdout is not None
            printed = await asyncio.wait_for(process.stdout.readuntil(b"A book"), _SAYS_WITHIN_S)
            assert printed.decode().splitlines() == [
                "live",
                "the products have to be read anew: new",
                "e1:2 new_product A book",
            ]
            process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), _SAYS_WITHIN_S) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
