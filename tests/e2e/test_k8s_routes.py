"""The routes of the overlays for Kubernetes, in a real Traefik that is told of them, and in HAProxy: who reaches what.

Traefik reads each kind of route there is: Ingress, Ingress with the annotations of ingress-nginx, its own, and the
Gateway API.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.local import traefik
from deploy.local.child import Program
from deploy.local.ports import HOST, free_ports
from tests import disguises
from tests.disguises import SOCKETS, disguised, odd_requests, public_paths
from tests.e2e.test_gateway import Answer, request
from tests.exposure import exposed
from tests.k8s.api import Api, endpoints
from tests.k8s.manifests import Manifest, containers, environment, of_kind, one, overlay
from tests.processes import Processes
from tests.stubs import Stubs
from tests.tools import missing, require
from tests.waiting import eventually

PUBLIC = public_paths(SOCKETS)
"""All that may reach an emitter."""
API = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
EMITTERS = ["127.0.0.5", "127.0.0.6", "127.0.0.7"]
NOT_READY = EMITTERS[-1]
PROVIDERS = {
    "ingress": ("ingress", "kubernetesIngress"),
    "ingress of many": ("many-emitters", "kubernetesIngress"),
    "ingress-nginx": ("many-emitters", "kubernetesIngressNGINX"),
    "gateway-api": ("gateway-api", "kubernetesGateway"),
    "traefik": ("traefik", "kubernetesCRD"),
}
CONTROLLERS = {
    "kubernetesIngress": {"controller": "traefik.io/ingress-controller"},
    "kubernetesIngressNGINX": {"controller": "k8s.io/ingress-nginx"},
    "kubernetesGateway": {"controllerName": "traefik.io/gateway-controller"},
}
STICKY = ("ingress of many", "ingress-nginx", "traefik")


class Gateway(NamedTuple):
    """A proxy in front of stubs."""

    name: str
    origin: str
    emitters: Stubs

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request."""
        return await request(self.origin, method, path, **{"Host": disguises.HOST, **headers})

    async def reached(self, path: str, **headers: str) -> dict[str, Any]:
        """Send a request and return what the server that it reached says about it."""
        answer = await self.ask(path, **headers)
        assert answer.status == HTTPStatus.OK, answer
        said: dict[str, Any] = json.loads(answer.body)
        return said


def proxy(port: int, provider: str, api: str) -> Program:
    """Return a Traefik that reads a Kubernetes API."""
    executable = traefik.find() or missing(f"there is no traefik: {traefik.INSTALL_HINT}")
    return Program(
        name="gateway",
        address=f"{HOST}:{port}",
        command=(
            executable,
            f"--entryPoints.web.address={HOST}:{port}",
            f"--providers.{provider}.endpoint={api}",
            "--providers.providersThrottleDuration=100ms",
            "--log.level=WARN",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
        ),
        environment={},
        stop_seconds=5.0,
    )


def haproxy(port: int, folder: Path, api: Stubs, emitters: Stubs) -> Program:
    """Return the HAProxy of the overlay, as its manifests have it, but for the addresses."""
    manifests = overlay("nodeport")
    [container] = [each for _, each in containers(manifests) if each["name"] == "haproxy"]
    [configuration] = [each for each in manifests if "haproxy.cfg" in each.get("data", {})]
    (folder / "haproxy.cfg").write_text(configuration["data"]["haproxy.cfg"])
    given = environment(container)
    assert given["STORECAST_LISTEN"].endswith(":8080")
    program, *arguments = container["command"]
    return Program(
        name="gateway",
        address=f"{HOST}:{port}",
        command=(
            require(program, "install the Debian package haproxy"),
            *(argument.replace("/etc/storecast", str(folder)) for argument in arguments),
        ),
        environment={
            **given,
            "STORECAST_LISTEN": f"{HOST}:{port}",
            "STORECAST_API_SERVERS": given["STORECAST_API_SERVERS"].replace("api:8000", f"{API[0]}:{api.port}"),
            "STORECAST_EMITTER_SERVERS": given["STORECAST_EMITTER_SERVERS"].replace(
                "emitter:9000", f"{EMITTERS[0]}:{emitters.port}"
            ),
        },
        stop_seconds=5.0,
    )


def nginx(port: int, folder: Path, ingresses: list[Manifest], services: dict[str, Stubs]) -> Program:
    """Return an nginx with the locations that its controllers make of Ingresses, as their documentation has them."""
    locations = [
        f"location {'= ' if path['pathType'] == 'Exact' else ''}{path['path']} {{ proxy_pass http://{name}; }}"
        for ingress in ingresses
        for path in ingress["spec"]["rules"][0].get("http", {"paths": ()})["paths"]
        for name in [path["backend"]["service"]["name"]]
    ]
    upstreams = [f"upstream {name} {{ server {stubs.addresses[0]}:{stubs.port}; }}" for name, stubs in services.items()]
    temporary = [f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    configuration = f"""
daemon off; master_process off; pid nginx.pid; error_log stderr error;
events {{ }}
http {{
  access_log off;
  {" ".join(temporary)}
  {" ".join(upstreams)}
  server {{
    listen {HOST}:{port};
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    {" ".join(locations)}
  }}
}}
"""
    (folder / "nginx.conf").write_text(configuration)
    command = (require("nginx", "install the Debian package nginx-light"), "-e", "stderr", "-p", str(folder))
    return Program("gateway", f"{HOST}:{port}", (*command, "-c", "nginx.conf"), stop_seconds=5.0)


def cluster(name: str, provider: str, port: int, api: Stubs, emitters: Stubs) -> list[Manifest]:
    """Return an overlay's manifests, with what a cluster has besides: pods, and the class that names Traefik."""
    manifests = overlay(name)
    ready = [address for address in emitters.addresses if address != NOT_READY]
    if provider == "kubernetesGateway":
        [listener] = one(manifests, "Gateway", "storecast")["spec"]["listeners"]
        listener["port"] = port
        version, kind, spec = "gateway.networking.k8s.io/v1", "GatewayClass", CONTROLLERS[provider]
    else:
        version, kind, spec = "networking.k8s.io/v1", "IngressClass", CONTROLLERS.get(provider, {})
    return [
        *manifests,
        {"apiVersion": version, "kind": kind, "metadata": {"name": "nginx"}, "spec": spec},
        endpoints("api", api.addresses, [], api.port),
        endpoints("emitter", ready, [NOT_READY], emitters.port),
        endpoints("emitter-relay", emitters.addresses, [], emitters.port),
    ]


@pytest.fixture(scope="module", params=[*PROVIDERS, "nodeport"])
async def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """Each overlay's proxy."""
    name: str = request.param
    folder = tmp_path_factory.mktemp("gateway")
    [port] = free_ports(1)
    api, emitters = Stubs("api", API), Stubs("emitter", EMITTERS)
    async with AsyncExitStack() as stack:
        if name == "nodeport":
            program = haproxy(port, folder, api, emitters)
        else:
            from_overlay, provider = PROVIDERS[name]
            url = await stack.enter_async_context(Api(cluster(from_overlay, provider, port, api, emitters)).running())
            program = proxy(port, provider, url)
        await stack.enter_async_context(running(program, folder, api, emitters))
        started = Gateway(name, f"http://{HOST}:{port}", emitters)
        await eventually(lambda: routes(started), message="both routes are up")
        yield started


@asynccontextmanager
async def running(program: Program, folder: Path, *stubs: Stubs) -> AsyncIterator[None]:
    """Run a proxy and who is behind it."""
    async with AsyncExitStack() as stack:
        for each in stubs:
            await stack.enter_async_context(each.running())
        processes = stack.enter_context(Processes([program], folder))
        processes.start_what_is_down()
        yield


async def routes(gateway: Gateway) -> bool:
    """Whether a proxy knows both routes."""
    try:
        answers = [await gateway.ask(path) for path in ("/", SOCKETS)]
    except OSError:
        return False
    return all(answer.status == HTTPStatus.OK for answer in answers)


async def test_all_else_is_the_apis(gateway: Gateway) -> None:
    """`/` and all below it is the API's, taken in turn; a path that only begins like the sockets' too."""
    for path in ("/", "/products?limit=1", "/websocket-serviceX", "/websocket-service.json", "/emit", "/metrics"):
        assert (await gateway.reached(path))["service"] == "api", path
    served = Counter([(await gateway.reached("/products"))["address"] for _ in range(12)])
    if gateway.name != "nodeport":  # there it is Kubernetes that takes them in turn
        assert served.keys() == set(API)
        assert max(served.values()) - min(served.values()) <= 2  # Traefik's turn is not quite even


@pytest.mark.parametrize("path", sorted(PUBLIC))
async def test_the_sockets_are_the_emitters(gateway: Gateway, path: str) -> None:
    """Each public path of the emitter is routed to it, as it was asked for, with its query."""
    said = await gateway.reached(f"{path}?EIO=4&transport=polling")
    assert (said["service"], said["path"], said["query"]) == ("emitter", path, "EIO=4&transport=polling")


async def test_nothing_else_reaches_an_emitter(gateway: Gateway) -> None:
    """Its internal calls and probes are out of reach, however a request for them is written."""
    address = gateway.origin.removeprefix("http://")
    for requests in (disguised(SOCKETS), odd_requests(SOCKETS)):
        assert await exposed(address, gateway.emitters, SOCKETS, requests) == []


async def test_nothing_else_does_by_the_locations_of_an_nginx_controller(tmp_path: Path) -> None:
    """Neither by what F5's controller and ingress-nginx make of an Ingress: `location =` for a path of type Exact.

    Not the controllers themselves: those need a cluster.
    """
    [port] = free_ports(1)
    api, emitters = Stubs("api", API[:1]), Stubs("emitter", EMITTERS[:1])
    program = nginx(
        port, tmp_path, of_kind(overlay("ingress"), "Ingress"), {stubs.name: stubs for stubs in (api, emitters)}
    )
    async with running(program, tmp_path, api, emitters):
        gateway = Gateway("nginx", f"http://{HOST}:{port}", emitters)
        await eventually(lambda: routes(gateway), message="both routes are up")
        for path in PUBLIC:
            assert (await gateway.reached(path))["service"] == "emitter"
        for requests in (disguised(SOCKETS), odd_requests(SOCKETS)):
            # It passes paths on as they came: what counts is what an emitter takes them for.
            reached = await exposed(gateway.origin.removeprefix("http://"), emitters, SOCKETS, requests)
            assert not {path for path in emitters.paths if path in disguises.internal_paths()}, reached


async def test_a_name_that_is_not_ours_leads_nowhere(gateway: Gateway) -> None:
    """A request for another host is not for Storecast; a node's port has no name."""
    answer = await gateway.ask("/", Host="other.example")
    assert answer.status == (HTTPStatus.OK if gateway.name == "nodeport" else HTTPStatus.NOT_FOUND)


async def test_a_client_cannot_forge_where_it_comes_from(gateway: Gateway) -> None:
    """The forwarded headers are the proxy's own: a page of another origin gets nothing by naming that origin."""
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "gopher"}
    headers = (await gateway.reached(f"{SOCKETS}/", **forged))["headers"]
    assert headers["x-forwarded-host"] == headers["host"] == disguises.HOST
    assert headers["x-forwarded-for"] == HOST
    assert headers["x-forwarded-proto"] == "http"


async def test_an_emitter_that_is_not_ready_gets_no_session(gateway: Gateway) -> None:
    """New sessions go to all emitters that are ready, and to no other."""
    opened = {(await gateway.reached(f"{SOCKETS}/?EIO=4&transport=polling"))["address"] for _ in range(30)}
    assert opened == ({EMITTERS[0]} if gateway.name == "nodeport" else set(EMITTERS) - {NOT_READY})


@pytest.mark.parametrize("gateway", STICKY, indirect=True, scope="module")
async def test_a_session_stays_where_it_was_opened(gateway: Gateway) -> None:
    """With many emitters the answer to a handshake carries a cookie, and it leads back to that emitter."""
    for _ in range(6):
        opened = await gateway.ask(f"{SOCKETS}/?EIO=4&transport=polling")
        given = opened.headers["Set-Cookie"]
        assert given.startswith("storecast_emitter=")
        for _ in range(4):
            said = await gateway.reached(f"{SOCKETS}/?EIO=4&transport=polling&sid=1", Cookie=given.partition(";")[0])
            assert said["address"] == json.loads(opened.body)["address"]


@pytest.mark.parametrize("gateway", ["traefik"], indirect=True, scope="module")
async def test_a_handshake_is_balanced_anew_and_a_session_is_not(gateway: Gateway) -> None:
    """A cookie does not bind a handshake: who was sent away comes to another; a session keeps an unready emitter.

    Of Traefik's own routes only: those of the others cannot tell a handshake from what follows it.
    """
    opened = await gateway.ask(f"{SOCKETS}/?EIO=4&transport=polling")
    cookie = opened.headers["Set-Cookie"].partition(";")[0]
    anew = {(await gateway.reached(f"{SOCKETS}/?EIO=4", Cookie=cookie))["address"] for _ in range(20)}
    assert anew == set(EMITTERS) - {NOT_READY}
    sessions = {(await gateway.reached(f"{SOCKETS}/?EIO=4&sid=1"))["address"] for _ in range(9)}
    assert NOT_READY in sessions
