"""The live page's chat, in a real browser, with an emitter that permits it and one that does not."""

import contextlib
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from api_service.page.endpoints import router
from shared.problems import problem
from tests.e2e.shop import serving
from tests.e2e.test_page import MARKUP
from tests.e2e.visit import PATIENCE_S, PHONE, Visit
from tests.integration.emitter import Emitter
from tests.waiting import eventually
from ws_service.messages.publisher import Publisher


@contextlib.asynccontextmanager
async def page_of(emitter_url: str, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the page alone: it has no products to show, and says so."""
    app = FastAPI()
    sockets = {"public_ws_url": emitter_url, "socket_path": "/websocket-service"}
    app.state.settings = SimpleNamespace(**sockets, auth="off", public_read=True)
    app.include_router(router)
    async with serving(app, listener):
        yield


@contextlib.asynccontextmanager
async def chatting(*client_topics: str) -> AsyncIterator[tuple[str, Emitter]]:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        Emitter.running(client_topics=client_topics, allowed_origins=[url]) as emitter,
        page_of(f"http://{emitter.address}", listener),
    ):
        await emitter.open()
        yield url, emitter


async def test_two_pages_talk(browser: Browser) -> None:
    """What one says stands on both, with the emitter that the speaker is on; markup is text; one's own is marked.

    One of them is a phone, where the chat is folded away: what is said meanwhile is marked there.
    """
    async with (
        chatting("chat:*") as (url, _),
        Visit.to(browser, url) as ann,
        Visit.to(browser, url, width=PHONE) as bob,
    ):
        for visit in (ann, bob):
            await expect(visit.page.locator("#chat .self")).to_contain_text("on emitter-1")
        await ann.page.get_by_label("Say something").fill(MARKUP)
        await ann.page.get_by_role("button", name="Send").click()
        await expect(bob.page.locator("#chat")).to_have_class("panel chat unread")
        for visit, who in ((ann, "you"), (bob, "guest ")):
            line = visit.page.locator("#chat li")
            await visit.unfold("Chat")
            await expect(line.locator(".text")).to_have_text(MARKUP)
            await expect(line.locator(".text")).to_be_visible()
            await expect(line.locator(".node")).to_have_text("emitter-1")
            await expect(line.locator(".who")).to_contain_text(who)
        await expect(ann.page.get_by_label("Say something")).to_have_value("")
        await bob.page.get_by_label("Say something").fill("from a phone")
        await bob.page.get_by_role("button", name="Send").click()
        for visit in (ann, bob):
            await expect(visit.page.locator("#chat .text").last).to_have_text("from a phone")


async def test_what_was_refused_is_not_lost(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not talk now reads why it was not sent, and keeps the text to send it again."""

    async def refuse(*_: Any) -> dict[str, Any]:
        return {"error": problem(429, "at most 10 messages a second")}

    async with chatting("chat:lobby") as (url, _), Visit.to(browser, url) as visit:
        await expect(visit.page.locator("#chat")).to_be_visible()
        with monkeypatch.context() as patch:
            patch.setattr(Publisher, "publish", refuse)
            await visit.page.get_by_label("Say something").fill("hi")
            await visit.page.get_by_label("Say something").press("Enter")
            await expect(visit.page.locator("#chat .message")).to_contain_text("messages a second")
        await expect(visit.page.get_by_label("Say something")).to_have_value("hi")
        await visit.page.get_by_label("Say something").press("Enter")
        await expect(visit.page.locator("#chat .text")).to_have_text("hi")
        await expect(visit.page.locator("#chat .message")).to_be_empty()


async def test_the_chat_is_there_again_after_a_reconnect(browser: Browser) -> None:
    """A lost connection leaves its topics behind, and the page joins the lobby anew."""
    async with chatting("chat:*") as (url, emitter), Visit.to(browser, url) as visit:
        await expect(visit.page.locator("#chat")).to_be_visible()
        [sid] = list(emitter.sockets._connections)  # noqa: SLF001  # to break one connection
        emitter.sockets._connections[sid]._session.drop()  # noqa: SLF001  # a connection has to be lost on demand
        await eventually(
            lambda: _rejoined(emitter, sid), message="the page is in the lobby again", timeout_s=PATIENCE_S
        )


def _rejoined(emitter: Emitter, sid: str) -> bool:
    return any(each.member.sid != sid and "chat:lobby" in each.topics for each in emitter.hub.subscriptions.everyone())


async def test_without_permission_there_is_no_chat(browser: Browser) -> None:
    """Where the emitter refuses the topic, the page has no box for it."""
    async with chatting() as (url, emitter), Visit.to(browser, url) as visit:
        await expect(visit.page.locator("#connection")).to_have_attribute("data-state", "live")
        await eventually(emitter.hub.subscriptions.everyone, message="the page is connected", timeout_s=PATIENCE_S)
        await expect(visit.page.locator("#chat")).to_be_hidden()
