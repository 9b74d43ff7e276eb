"""Pages of other origins: who may call the API, and who may listen (Fetch standard, RFC 6455 section 10.2)."""

import contextlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api_service.app import create_app
from api_service.settings import Settings
from shared.errors import StartupError
from shared.origins import check_origin
from shared.settings import ServiceSettings
from tests.integration.emitter import Emitter
from tests.tokens import JWT_SECRET, token
from ws_service.settings import Settings as EmitterSettings

PAGE = "https://shop.example"
NAMED = (PAGE, "http://localhost:5173")
# What pages of an attacker have, or could make themselves have, for an origin.
FOREIGN = (
    "https://elsewhere.example",
    "null",
    "https://shop.example.elsewhere.example",
    "https://shop.example:8443",
    "http://shop.example",
    "https://sub.shop.example",
    "https://SHOP.example",
    "https://shop.example/",
    "https://shop.example https://elsewhere.example",
    "*",
    "",
)
SOCKETS = "/websocket-service"
EXPOSED = {"ETag", "Location", "Retry-After", "X-Request-ID", "X-Served-By"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "http://localhost:5173",
        "http://127.0.0.1:8080",
        "https://[2001:db8::1]:8443",
        "https://xn--bcher-kva.example",
        "http://shop_api",
        "capacitor://localhost",
        "https://shop.example:80",
    ],
)
def test_what_browsers_send_may_be_named(origin: str) -> None:
    """Hosts, addresses and ports, and the schemes of pages in apps."""
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ("*", "would let every page in"),
        *[
            (origin, "write it as browsers send it")
            for origin in (
                "null",
                "",
                "shop.example",
                "https://",
                "https://shop.example/",
                "https://shop.example/path",
                "https://shop.example?x",
                "https://Shop.example",
                "https://shop.example:443",
                "http://shop.example:80",
                "https://*.shop.example",
                "https://user@shop.example",
                "https://bücher.example",
                "https://shop.example\n",
                " https://shop.example",
                "https://shop.example:port",
                "https://a, https://b",
            )
        ],
    ],
)
def test_what_no_page_has_is_refused(origin: str, reason: str) -> None:
    """At the start, with what to write instead: it would never match, or always."""
    with pytest.raises(ValueError, match=reason):
        check_origin(origin)


@pytest.mark.parametrize("service", [Settings, EmitterSettings])
def test_no_service_starts_with_one(service: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the variable, and which of its origins it is."""
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", "a secret of the tests")
    monkeypatch.setenv("STORECAST_ALLOWED_ORIGINS", '["https://shop.example", "*"]')
    with pytest.raises(StartupError, match=r"^STORECAST_ALLOWED_ORIGINS\.1: name each origin"):
        service.load()


# The API.


def api(*allowed: str) -> FastAPI:
    """Return an API that is not started: who may call is asked before anything else."""
    given = {"emitter_secret": "a secret of the tests", "jwt_secret": JWT_SECRET, "public_read": False}
    return create_app(Settings.model_validate({**given, "allowed_origins": allowed}))


@contextlib.asynccontextmanager
async def calling(app: FastAPI, origin: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers={"Origin": origin}) as http:
        yield http


async def preflight(http: httpx.AsyncClient, method: str, *headers: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = ",".join(headers).lower()
    return await http.options("/products", headers=asked)


@pytest.mark.parametrize("origin", NAMED)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "GET"])
async def test_a_page_that_is_named_may_call(origin: str, method: str) -> None:
    """With a token, a key and a version, but not with cookies; it reads the answer, a refusal too, and its headers."""
    async with calling(api(*NAMED), origin) as http:
        allowed = await preflight(http, method, "Authorization", "Content-Type", "Idempotency-Key", "If-Match")
        assert allowed.status_code == 200
        assert method in allowed.headers["Access-Control-Allow-Methods"]
        refused = await http.get("/products")
        assert refused.status_code == 401
        assert set(refused.headers["Access-Control-Expose-Headers"].split(", ")) == EXPOSED
        for answer in (allowed, refused):
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert "Origin" in answer.headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("allowed", [(), NAMED], ids=["none is named", "others are named"])
@pytest.mark.parametrize("origin", FOREIGN)
async def test_any_other_page_may_not(origin: str, allowed: tuple[str, ...]) -> None:
    """Its browser is told nothing that would let it read an answer, or make a call that changes something."""
    async with calling(api(*allowed), origin) as http:
        for answer in (await preflight(http, "POST", "Authorization"), await http.get("/livez")):
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_page_that_is_named_may_not_do_everything() -> None:
    """Only the methods and the headers that the API has a use for."""
    async with calling(api(PAGE), PAGE) as http:
        assert (await preflight(http, "TRACE")).status_code == 400
        assert (await preflight(http, "POST", "X-Forwarded-For")).status_code == 400


BODIES = {
    "/products": {"name": "a", "price": "1"},
    "/products/batch": {"items": [{"product": {"name": "a", "price": "1"}}]},
    "/messages": {"event": "a", "to": ["user:ann"]},
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_no_form_of_another_page_is_taken(path: str, media_type: str) -> None:
    """What a page can send without asking is never JSON: also where callers show no token, on a developer's machine."""
    app = create_app(Settings.model_validate({"emitter_secret": "a secret of the tests", "auth": "off"}))
    # Whoever got as far as them would break.
    app.state.products = app.state.messenger = None
    async with calling(app, "https://elsewhere.example") as http:
        answer = await http.post(path, content=json.dumps(BODIES[path]), headers={"Content-Type": media_type})
        assert answer.status_code in {415, 422}, answer.text


# The emitter.


@pytest.fixture(scope="module", params=["its own", "those that are named"])
async def emitter(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Emitter, str]]:
    """An emitter, and an origin whose pages may listen."""
    settings = {"allowed_origins": NAMED} if request.param == "those that are named" else {}
    async with Emitter.running(auth="jwt", jwt_secret=JWT_SECRET, **settings) as emitter:
        await emitter.open()
        yield emitter, PAGE if settings else f"http://{emitter.address}"


@pytest.mark.parametrize("path", [f"{SOCKETS}/?EIO=4&transport=websocket", f"{SOCKETS}/raw"], ids=["socket.io", "raw"])
async def test_no_other_page_opens_a_websocket(emitter: tuple[Emitter, str], path: str) -> None:
    """For websockets browsers have no rule of their own: what the user's browser could reach, any page could."""
    running, own = emitter
    url = f"ws://{running.address}{path}"
    # What a browser of the user would send along proves nothing here.
    headers = {"Cookie": "storecast_emitter=a", "Authorization": f"Bearer {token('ann')}"}
    for origin in FOREIGN:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, additional_headers={**headers, "Origin": origin}, proxy=None):
                pass
        assert refused.value.response.status_code in {400, 403}
        assert b"STORECAST_ALLOWED_ORIGINS" in refused.value.response.body
    async with connect(url, additional_headers={"Origin": own}, proxy=None) as websocket:
        assert await websocket.recv()


@pytest.mark.parametrize("path", [f"{SOCKETS}/?EIO=4&transport=polling", f"{SOCKETS}/sse"], ids=["polling", "sse"])
async def test_no_other_page_listens_over_http(emitter: tuple[Emitter, str], path: str) -> None:
    """It is refused, and told nothing that would have its browser hand over even the refusal."""
    running, own = emitter
    for origin in FOREIGN:
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            answer = await running.public.request(method, path, headers=asked)
            assert method == "OPTIONS" or answer.status_code in {400, 403}
            assert "Access-Control-Allow-Origin" not in answer.headers
    async with running.public.stream("GET", path, headers={"Origin": own}) as answer:
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == own


async def test_no_other_page_takes_part_in_a_session(emitter: tuple[Emitter, str]) -> None:
    """Not with the session's id either: it can neither read what comes, nor say something, nor take it over."""
    running, own = emitter
    polling = f"{SOCKETS}/?EIO=4&transport=polling"
    opened = await running.public.get(polling, headers={"Origin": own})
    session = f"&sid={json.loads(opened.text[1:])['sid']}"
    foreign = {"Origin": "https://elsewhere.example"}
    assert (await running.public.get(polling + session, headers=foreign)).status_code == 400
    assert (await running.public.post(polling + session, content="40", headers=foreign)).status_code == 400
    upgrade = f"ws://{running.address}{SOCKETS}/?EIO=4&transport=websocket{session}"
    with pytest.raises(InvalidStatus):
        async with connect(upgrade, additional_headers=foreign, proxy=None):
            pass


async def test_who_is_no_page_has_no_origin(emitter: tuple[Emitter, str]) -> None:
    """Programs send none, and are asked for none: they have no user whom they could be used against."""
    running, _ = emitter
    assert (await running.public.get(f"{SOCKETS}/?EIO=4&transport=polling")).status_code == 200
