"""The page's files: that they are whole, that they are served as they should be, and what their logic does alone."""

import re
import subprocess
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from api_service.page.endpoints import STATIC, router, static_files
from api_service.page.headers import content_security_policy
from tests.tools import require

HERE = Path(__file__).parent
STOCK_CLIENT = HERE.parent / "node_modules/socket.io-client"
MODULES = sorted(STATIC.glob("*.js"))


@pytest.fixture(scope="module")
def node() -> str:
    """The Node.js that reads the page's modules."""
    return require("node", "install Node.js 20 or later")


@pytest.fixture
def app() -> FastAPI:
    """The page alone, without the rest of the API."""
    app = FastAPI()
    app.state.settings = SimpleNamespace(public_ws_url="", socket_path="/websocket-service")
    app.include_router(router)
    app.mount("/static", static_files())
    return app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the page."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        yield client


def test_the_vendored_client_is_the_stock_one() -> None:
    """What browsers run is, byte for byte, what the tests listen with, and its licence is with it."""
    vendored = STATIC / "vendor/socket.io.esm.min.js"

    assert vendored.read_bytes() == (STOCK_CLIENT / "dist/socket.io.esm.min.js").read_bytes()
    assert (STATIC / "vendor/socket.io.LICENSE").read_bytes() == (STOCK_CLIENT / "LICENSE").read_bytes()
    assert b"Released under the MIT License" in vendored.read_bytes()[:200]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_modules_are_valid_javascript(node: str, module: Path) -> None:
    """Every module can be read by an engine."""
    checked = subprocess.run([node, "--check", module], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("tests", sorted(HERE.glob("page/*.test.mjs")), ids=lambda tests: tests.name)
def test_logic(node: str, tests: Path) -> None:
    """What the page knows and asks for is right however lists and events interleave (the tests are in `page/`)."""
    run = subprocess.run([node, "--test", tests], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert not re.search(r"^# (tests 0|skipped [1-9])", run.stdout, re.MULTILINE), run.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_modules_import_only_what_is_there(module: Path) -> None:
    """Without a build step nothing else would notice a module that is missing."""
    imported = re.findall(r'^(?:import|export) .*from "(\./[^"]+)"', module.read_text(), re.MULTILINE)

    assert all((STATIC / name).is_file() for name in imported), imported


async def test_everything_the_document_names_is_served(http: httpx.AsyncClient) -> None:
    """Scripts, styles and the icon come from our own origin, with the type a browser insists on."""
    document = (await http.get("/")).text
    named = re.findall(r'(?:href|src)="([^"]+)"', document)
    responses = {path: await http.get(path) for path in named}

    assert {path: response.status_code for path, response in responses.items()} == dict.fromkeys(named, 200)
    assert all(path.startswith("/static/") for path in named)
    assert "javascript" in responses["/static/page.js"].headers["Content-Type"]
    assert responses["/static/style.css"].headers["Content-Type"].startswith("text/css")


async def test_the_document_has_nothing_its_own_policy_refuses(http: httpx.AsyncClient) -> None:
    """Neither script nor style stands inside the document."""
    response = await http.get("/")
    directives = response.headers["Content-Security-Policy"].split("; ")

    assert "default-src 'self'" in directives
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", response.text)


async def test_the_document_is_guarded(http: httpx.AsyncClient) -> None:
    """A browser may not guess types, tell others where the reader was, or keep the document without asking."""
    response = await http.head("/")

    assert response.status_code == HTTPStatus.OK
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-cache"


async def test_files_are_sent_again_only_when_they_changed(http: httpx.AsyncClient) -> None:
    """A browser keeps files and asks each time whether they are still the same."""
    first = await http.get("/static/page.js")
    again = await http.get("/static/page.js", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code) == (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
    for response in (first, again):
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/absent.js", "/static/../endpoints.py", "/static/%2e%2e/endpoints.py"])
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    """Only files of the page are public."""
    assert (await http.get(path)).status_code == HTTPStatus.NOT_FOUND


async def test_the_page_is_told_where_the_sockets_are(app: FastAPI, http: httpx.AsyncClient) -> None:
    """An empty address means the page's own origin; the answer is never kept."""
    same = await http.get("/config.json")
    app.state.settings = SimpleNamespace(public_ws_url="https://live.example.com", socket_path="/ws")
    other = await http.get("/config.json")

    assert same.json() == {"socket_url": "", "socket_path": "/websocket-service"}
    assert other.json() == {"socket_url": "https://live.example.com", "socket_path": "/ws"}
    assert same.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("public_ws_url", "sources"),
    [
        ("", "connect-src 'self'"),
        ("http://127.0.0.1:9000", "connect-src 'self' http://127.0.0.1:9000 ws://127.0.0.1:9000"),
        ("https://live.example.com/", "connect-src 'self' https://live.example.com wss://live.example.com"),
    ],
)
def test_the_policy_lets_the_page_reach_the_emitter(public_ws_url: str, sources: str) -> None:
    """Where the emitter has an origin of its own, both of its transports are allowed, and nothing else."""
    assert sources in content_security_policy(public_ws_url).split("; ")
