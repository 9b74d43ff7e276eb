"""The page's files: that they are whole, that they are served as they should be, and what their logic does alone."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api_service.app import create_app
from api_service.page.endpoints import STATIC
from api_service.page.headers import content_security_policy
from api_service.page.reference import reference
from api_service.settings import Settings
from shared.browser import CLIENT
from tests.processes import ROOT
from tests.tokens import JWT_SECRET
from tests.tools import require

HERE = Path(__file__).parent
SHARED = ROOT / "shared/browser"
NODE_MODULES = HERE.parent / "node_modules"
# Files of somebody else's, by where npm has them.
VENDORED = {
    SHARED / "vendor/socket.io.esm.min.js": "socket.io-client/dist/socket.io.esm.min.js",
    SHARED / "vendor/socket.io.LICENSE": "socket.io-client/LICENSE",
    STATIC / "vendor/uPlot.esm.js": "uplot/dist/uPlot.esm.js",
    STATIC / "vendor/uPlot.min.css": "uplot/dist/uPlot.min.css",
    STATIC / "vendor/uPlot.LICENSE": "uplot/LICENSE",
}
# What the modules import that is not theirs, as it is described.
TYPES = {
    "vendor/uPlot.esm.d.ts": NODE_MODULES / "uplot/dist/uPlot.d.ts",
    "client/client.d.ts": SHARED / "client/index.d.ts",
}
MODULES = sorted(STATIC.glob("*.js"))
# By their addresses under /static/, also of what stands elsewhere.
SERVED = {f"client/{name}": file for name, file in CLIENT.items()}
PAGES = {"/": ("index.html", "page.js"), "/operate": ("operate.html", "operate.js")}
"""The document of each page, and the module that it begins with."""


@pytest.fixture(scope="module")
def node() -> str:
    """The Node.js that reads the page's modules."""
    return require("node", "install Node.js 20 or later")


def api(**settings: Any) -> FastAPI:
    """Return an API that is not started: its page is there all the same."""
    given = {"emitter_secret": SecretStr("a secret of the tests"), "jwt_secret": SecretStr(JWT_SECRET)}
    return create_app(Settings.model_validate({**given, **settings}))


@contextlib.asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the page."""
    async with client_of(api()) as client:
        yield client


@pytest.mark.parametrize(("file", "published"), VENDORED.items(), ids=lambda each: Path(each).name)
def test_what_is_vendored_is_what_was_published(file: Path, published: str) -> None:
    """What browsers run is, byte for byte, the locked version of the package: with its client the tests listen."""
    assert file.read_bytes() == (NODE_MODULES / published).read_bytes()


def test_what_is_vendored_has_its_licence_with_it() -> None:
    """Nothing else is there, and all of it may be passed on."""
    assert {file for folder in (STATIC, SHARED) for file in (folder / "vendor").iterdir()} == VENDORED.keys()
    licensed = {file.with_suffix("").name for file in VENDORED if file.suffix == ".LICENSE"}
    assert all(file.read_text().startswith("The MIT License (MIT)\n") for file in VENDORED if file.suffix == ".LICENSE")
    assert all(any(file.name.startswith(name) for name in licensed) for file in VENDORED)


def test_every_module_keeps_to_its_types(node: str, tmp_path: Path) -> None:
    """There is no build step: the compiler finds what cannot be read, is not there, or is not what comments promise."""
    static = tmp_path / "static"
    shutil.copytree(STATIC, static, ignore=shutil.ignore_patterns("vendor"))
    for name, types in TYPES.items():
        (static / name).parent.mkdir()
        shutil.copy(types, static / name)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    strict = ("--strict", "--allowJs", "--checkJs", "--noUnusedLocals", "--noUnusedParameters", "--noEmit")
    browser = ("--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2023,dom")
    compiler = [node, str(NODE_MODULES / "typescript/bin/tsc"), "--ignoreConfig", *strict, *browser, "--types", ""]
    modules = [str(static / module.name) for module in MODULES]
    run = subprocess.run([*compiler, *modules], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("tests", sorted(HERE.glob("page/*.test.mjs")), ids=lambda tests: tests.name)
def test_logic(node: str, tests: Path) -> None:
    """What the page knows and asks for is right however lists and events interleave (the tests are in `page/`)."""
    run = subprocess.run([node, "--test", tests], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert not re.search(r"^# (tests 0|skipped [1-9])", run.stdout, re.MULTILINE), run.stdout


@pytest.mark.parametrize(("document", "first"), PAGES.values())
def test_modules_are_asked_for_at_once(document: str, first: str) -> None:
    """A document names all that its page imports, so that a browser does not find out step by step."""
    named = re.findall(r'rel="modulepreload" href="/static/([^"]+)"', (STATIC / document).read_text())

    assert named == sorted(imported_by(first, set()))


def test_no_module_is_left_over() -> None:
    """Each is some page's."""
    used = {"theme.js", "charts.js"}.union(*({first} | imported_by(first, set()) for _, first in PAGES.values()))

    assert {module.name for module in MODULES} == {name for name in used if "/" not in name}


def imported_by(module: str, known: set[str]) -> set[str]:
    source = SERVED.get(module, STATIC / module).read_text()
    for name in re.findall(r'^import .* from "\./([^"]+)"', source, re.MULTILINE):
        file = (PurePosixPath(module).parent / name).as_posix()
        if file not in known:
            known |= imported_by(file, known | {file}) | {file}
    return known


@pytest.mark.parametrize(("page", "first"), [(page, first) for page, (_, first) in PAGES.items()])
async def test_everything_a_document_names_is_served(http: httpx.AsyncClient, page: str, first: str) -> None:
    """Scripts, styles and the icon come from our own origin, with the type a browser insists on."""
    document = (await http.get(page)).text
    named = re.findall(r'(?:href|src)="([^"#]+)"', document)
    responses = {path: await http.get(path) for path in named}

    assert {path: response.status_code for path, response in responses.items()} == dict.fromkeys(named, 200)
    assert {path for path in named if not path.startswith("/static/")} == {"/config.json", *PAGES.keys() - {page}}
    assert "javascript" in responses[f"/static/{first}"].headers["Content-Type"]
    assert responses["/static/style.css"].headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize("path", [*PAGES, "/docs"])
async def test_documents_have_nothing_their_own_policy_refuses(http: httpx.AsyncClient, path: str) -> None:
    """Neither script nor style stands inside a document, and nothing comes from elsewhere."""
    response = await http.get(path)

    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", response.text)
    assert not re.search(r'(?:href|src)="(?![/#])', response.text)


@pytest.mark.parametrize("path", [*PAGES, "/docs"])
async def test_documents_are_guarded(http: httpx.AsyncClient, path: str) -> None:
    """Nothing is allowed that is not named; no other page frames it, opens it to read it, or learns where one was."""
    headers = (await http.get(path)).headers

    directives = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", PAGES)
async def test_a_document_may_be_asked_for_its_headers(http: httpx.AsyncClient, path: str) -> None:
    """Monitors and proxies do."""
    assert (await http.head(path)).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/livez"),
        ("GET", "/config.json"),
        ("GET", "/openapi.json"),
        ("GET", "/products/none"),
        ("POST", "/products"),
        ("GET", "/none"),
        ("PUT", "/livez"),
    ],
)
async def test_answers_are_guarded(http: httpx.AsyncClient, method: str, path: str) -> None:
    """What is data is never taken for a document or a script, never embedded by another origin, and kept by nobody."""
    headers = (await http.request(method, path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_the_reference_has_every_call(http: httpx.AsyncClient) -> None:
    """With what it takes and an example, without a script of anybody: FastAPI's own pages load them from elsewhere."""
    page = (await http.get("/docs")).text
    document = (await http.get("/openapi.json")).json()

    for path, operations in document["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in page
    assert "<code>products:write</code>" in page
    assert "&quot;target&quot;: 500" in page
    assert "&quot;name&quot;: &quot;Moka pot&quot;" in page
    assert "<script" not in page
    assert (await http.get("/redoc")).status_code == HTTPStatus.NOT_FOUND


def test_the_reference_shows_markup_as_text() -> None:
    """Whatever a description says."""
    operation = {"description": "<b>", "parameters": [{"name": "<i>", "in": "query"}], "responses": {"200": {}}}
    page = reference({"info": {"title": "<u>"}, "paths": {"/<s>": {"get": operation}}})

    assert not re.search(r"<[bius]>", page)
    assert page.count("&lt;") == 5


async def test_files_are_sent_again_only_when_they_changed(http: httpx.AsyncClient) -> None:
    """A browser keeps files and asks each time whether they are still the same."""
    first = await http.get("/static/page.js")
    again = await http.get("/static/page.js", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code) == (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
    for response in (first, again):
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_client_module_is_served_with_the_page(http: httpx.AsyncClient) -> None:
    """It is the file of the package, and the stock client beside it: they come also while the emitter is away."""
    for name, file in CLIENT.items():
        answer = await http.get(f"/static/client/{name}")
        assert answer.content == file.read_bytes()
        assert "javascript" in answer.headers["Content-Type"]
        same = await http.get(f"/static/client/{name}", headers={"If-None-Match": answer.headers["ETag"]})
        assert same.status_code == HTTPStatus.NOT_MODIFIED
    assert (await http.get("/static/client/package.json")).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("path", ["/static/absent.js", "/static/../endpoints.py", "/static/%2e%2e/endpoints.py"])
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    """Only files of the page are public."""
    assert (await http.get(path)).status_code == HTTPStatus.NOT_FOUND


async def test_the_page_is_told_where_the_sockets_are() -> None:
    """An empty address means the page's own origin; the answer is never kept."""
    async with client_of(api()) as http:
        same = await http.get("/config.json")
    async with client_of(api(public_ws_url="https://live.example.com", socket_path="/ws")) as http:
        other = (await http.get("/config.json")).json()

    assert (same.json()["socket_url"], same.json()["socket_path"]) == ("", "/websocket-service")
    assert (other["socket_url"], other["socket_path"]) == ("https://live.example.com", "/ws")
    assert same.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("settings", "other", "reading"),
    [
        ({}, True, False),
        ({"public_read": False}, True, True),
        ({"auth": "off"}, False, False),
        ({"auth": "off", "public_read": False}, False, False),
    ],
)
async def test_the_page_is_told_what_takes_a_token(settings: dict[str, Any], *, other: bool, reading: bool) -> None:
    """So that it asks for one only where one is of use."""
    async with client_of(api(**settings)) as http:
        config = (await http.get("/config.json")).json()

    assert (config["takes_token"], config["reading_takes_token"]) == (other, reading)


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
