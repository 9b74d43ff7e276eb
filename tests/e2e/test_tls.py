"""TLS at each gateway, as the compose files have it: a browser, stock clients and curl's kind, over https and wss."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, expect

from deploy.local.ports import HOST, free_ports
from deploy.local.routes import Routes
from tests.compose.gateways import PLAIN, TLS, container, docker, program
from tests.compose.variants import config, tls
from tests.e2e.test_gateway import request
from tests.e2e.visit import Visit
from tests.listening import SOCKET_PATH, Listener
from tests.processes import Processes
from tests.system import System
from tests.tools import require
from tests.waiting import eventually

GATEWAYS = ("nginx", "haproxy", "traefik")
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrading": ["polling", "websocket"]}
HANDSHAKE = f"{SOCKET_PATH}/?EIO=4&transport=polling"
HSTS = "max-age=300; includeSubDomains"


class Certificate(NamedTuple):
    """A certificate for this machine, which nobody but a test trusts."""

    file: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        """Make one."""
        made = cls(folder / "fullchain.pem", folder / "privkey.pem")
        subprocess.run(
            [
                *(
                    require("openssl", "install OpenSSL"),
                    "req",
                    "-x509",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=storecast",
                ),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"),
                *("-keyout", str(made.key), "-out", str(made.file)),
            ],
            capture_output=True,
            check=True,
        )
        # Not by the names that HAProxy looks for; in a container they are.
        (folder / "tls.crt").symlink_to(made.file)
        (folder / "tls.key").symlink_to(made.key)
        return cls(folder / "tls.crt", folder / "tls.key")

    def trusted(self) -> ssl.SSLContext:
        """Return what trusts it, and nothing else."""
        return ssl.create_default_context(cafile=str(self.file))


class Front(NamedTuple):
    """A gateway that speaks TLS, in front of a whole Storecast."""

    origin: str
    plain: str
    http: httpx.AsyncClient
    certificate: Certificate

    async def answers(self) -> bool:
        """Whether it reaches both services."""
        try:
            answers = [await self.http.get(path) for path in ("/readyz", HANDSHAKE)]
        except httpx.TransportError:
            return False
        return all(answer.is_success for answer in answers)

    def listener(self, **options: Any) -> Listener:
        """Return stock clients that trust its certificate, and keep cookies as a browser does."""
        return Listener(self.origin, ca=self.certificate.file.read_text(), withCredentials=True, **options)


@asynccontextmanager
async def front(
    name: str, storecast: System, certificate: Certificate, folder: Path, hsts: str = ""
) -> AsyncIterator[Front]:
    """Run a gateway as its variant with TLS has it."""
    port, plain_port = free_ports(2)
    origin = f"https://{HOST}:{port}"
    read = config(
        tls(name),
        STORECAST_TLS_CERTIFICATE=str(certificate.file),
        STORECAST_TLS_KEY=str(certificate.key),
        STORECAST_ORIGIN=origin,
        STORECAST_HSTS=hsts,
    )
    api_ports = [port_of(url) for url in storecast.api_urls.values()]
    emitter_ports = [port_of(url) for url in storecast.emitter_urls.values()]
    routes = Routes(port, SOCKET_PATH, api_ports, emitter_ports * 2)  # nginx gives no cookie where there is no choice
    gateway = program(read, folder, {TLS: port, PLAIN: plain_port}, routes)
    async with AsyncExitStack() as stack:
        if name == "traefik":
            containers = [container(read, "api", number, HOST, each) for number, each in enumerate(api_ports, 1)]
            containers += [
                container(read, "emitter", number, HOST, each) for number, each in enumerate(emitter_ports, 1)
            ]
            *_, processes = await stack.enter_async_context(docker(read, folder, gateway, containers))
        else:
            processes = stack.enter_context(Processes([gateway], folder))
            processes.start_what_is_down()
        client = httpx.AsyncClient(base_url=origin, verify=certificate.trusted(), trust_env=False, timeout=30)
        http = await stack.enter_async_context(client)
        running = Front(origin, f"http://{HOST}:{plain_port}", http, certificate)
        await eventually(running.answers, message=f"{name} reaches both\n{processes.tails()}")
        yield running


def port_of(url: str) -> int:
    """Return a URL's port."""
    port = urlsplit(url).port
    assert port is not None
    return port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate, made on the spot."""
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module", params=GATEWAYS)
async def gateway(
    request: pytest.FixtureRequest,
    shared_storecast: System,
    certificate: Certificate,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Front]:
    """Each gateway."""
    await shared_storecast.restore()
    folder = tmp_path_factory.mktemp(request.param)
    async with front(request.param, shared_storecast, certificate, folder, HSTS) as running:
        yield running


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_stock_clients_hear_a_product_over_tls(gateway: Front, transports: list[str]) -> None:
    """Created over https, it is heard once over wss, and over long-polling, without a break."""
    async with gateway.listener(count=3, transports=transports) as listener:
        answer = await gateway.http.post("/products", json={"name": "moka pot", "price": "24.90"})
        assert answer.status_code == HTTPStatus.CREATED
        for client in listener.clients:
            assert [event.payload["id"] for event in await client.heard(1)] == [answer.json()["id"]]
            assert not client.of("disconnect") + client.of("connect_error")


async def test_the_page_is_live_in_a_browser(gateway: Front, browser: Browser) -> None:
    """Chromium, which speaks HTTP/2 with the gateway, opens the page and shows what is created."""
    async with await browser.new_page(ignore_https_errors=True) as page:  # what it says of a certificate of nobody's
        visit = Visit(page)
        opened = await page.goto(gateway.origin)
        assert opened is not None
        assert opened.headers["strict-transport-security"] == HSTS
        await visit.is_live()
        protocol = await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        assert protocol == "h2"
        sockets = await page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
        assert not [url for url in sockets if url.startswith("http:")]
        name = f"over tls {gateway.origin}"
        await gateway.http.post("/products", json={"name": name, "price": "24.90"})
        await expect(visit.card(name)).to_be_visible()
        assert visit.complaints == []


@pytest.mark.parametrize("path", ["/", "/products?limit=1&q=a%20b", f"{SOCKET_PATH}/?EIO=4&transport=polling"])
async def test_plain_http_leads_to_the_origin(gateway: Front, path: str) -> None:
    """Whatever is asked for, and whatever host it is asked of; nothing is served, and HSTS is not said there."""
    for host in ("shop.example", "evil.example:80"):
        answer = await request(gateway.plain, "GET", path, Host=host)
        assert answer.status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}
        assert answer.headers["Location"] == f"{gateway.origin}{path}"
        assert "Strict-Transport-Security" not in answer.headers
        assert "Set-Cookie" not in answer.headers


async def test_nothing_is_done_over_plain_http(gateway: Front) -> None:
    """A create is sent to https with its method and its body, and not carried out before."""
    answer = await request(gateway.plain, "POST", "/products", '{"name": "plain", "price": "1.00"}')
    assert answer.status == HTTPStatus.PERMANENT_REDIRECT
    assert answer.headers["Location"] == f"{gateway.origin}/products"
    found = await gateway.http.get("/products", params={"q": "plain"})
    assert found.json()["items"] == []


async def test_a_page_of_the_same_origin_may_listen_and_no_other(gateway: Front) -> None:
    """An https page of this host is at home; one of another host or port is not, whatever its headers say."""

    async def shakes_hands(origin: str, **headers: str) -> bool:
        answer = await gateway.http.get(HANDSHAKE, headers={"Origin": origin, **headers})
        assert answer.status_code in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST}
        return answer.is_success

    assert await shakes_hands(gateway.origin)
    assert await shakes_hands("https://shop.example", Host="shop.example")
    assert not await shakes_hands(gateway.origin.replace("https:", "http:"))
    assert not await shakes_hands("https://evil.example")
    assert not await shakes_hands(f"https://{HOST}")
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
    assert not await shakes_hands("http://evil.example", **forged)
    assert not await shakes_hands("https://evil.example", **forged)


async def test_the_cookie_of_long_polling_is_for_tls_alone(gateway: Front) -> None:
    """What leads a session to its emitter is not sent over plain http."""
    answer = await gateway.http.get(HANDSHAKE)
    given = answer.headers["Set-Cookie"]
    assert given.startswith("storecast_emitter=")
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in given.split(";")}


async def test_old_versions_of_tls_are_refused(gateway: Front) -> None:
    """Nothing below TLS 1.2 is spoken, however a client asks."""
    old = gateway.certificate.trusted()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    address = urlsplit(gateway.origin)
    with pytest.raises(ssl.SSLError):
        await asyncio.open_connection(address.hostname, address.port, ssl=old)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_hsts_is_not_said_unasked(name: str, storecast: System, certificate: Certificate, tmp_path: Path) -> None:
    """Without STORECAST_HSTS there is no such header, not an empty one either."""
    async with front(name, storecast, certificate, tmp_path) as running:
        assert "Strict-Transport-Security" not in (await running.http.get("/products")).headers
