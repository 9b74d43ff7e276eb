"""Traefik as `deploy/compose/traefik.yml` starts it, told by the labels of the containers: who reaches what."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from deploy.local.ports import HOST, free_ports
from deploy.local.routes import Routes
from tests.compose.docker_api import Container, DockerApi
from tests.compose.gateways import PLAIN, container, docker, program
from tests.compose.variants import GATEWAYS, config
from tests.disguises import SOCKETS, disguised, public_paths
from tests.e2e.test_gateway import Answer, request
from tests.exposure import exposed
from tests.stubs import Stubs
from tests.waiting import eventually

API = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
EMITTERS = ["127.0.0.5", "127.0.0.6", "127.0.0.7"]
HANDSHAKE = f"{SOCKETS}/?EIO=4&transport=polling"
STRANGER = "127.0.0.8"


class Gateway(NamedTuple):
    """Traefik in front of stubs, and what it is told by."""

    address: str
    guard: str
    api: Stubs
    emitters: Stubs
    docker: DockerApi
    containers: list[Container]

    async def ask(self, path: str, **headers: str) -> Answer:
        """Send a request."""
        return await request(f"http://{self.address}", "GET", path, **headers)

    async def reached(self, path: str, **headers: str) -> dict[str, Any]:
        """Send a request and return what the server that it reached says about it."""
        answer = await self.ask(path, **headers)
        assert answer.status == HTTPStatus.OK, answer
        said: dict[str, Any] = json.loads(answer.body)
        return said

    async def routes(self) -> bool:
        """Whether both services are reached."""
        try:
            answers = [await self.ask(path) for path in ("/", SOCKETS)]
        except OSError:
            return False
        return all(answer.status == HTTPStatus.OK for answer in answers)


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """The Traefik of the variant with several emitters, and a container that is another project's."""
    read = config(GATEWAYS["traefik of many"])
    folder = tmp_path_factory.mktemp("traefik")
    [port] = free_ports(1)
    api, emitters = Stubs("api", API), Stubs("emitter", EMITTERS)
    containers = [
        *(container(read, "api", number, address, api.port) for number, address in enumerate(API, 1)),
        *(container(read, "emitter", number, address, emitters.port) for number, address in enumerate(EMITTERS, 1)),
    ]
    labels = {
        "traefik.enable": "true",
        "traefik.http.routers.greedy.rule": "PathPrefix(`/`)",
        "traefik.http.routers.greedy.priority": "9",
        "traefik.http.services.greedy.loadbalancer.server.port": "80",
        "com.docker.compose.project": "another",
    }
    stranger = Container("another-app-1", labels, {"storecast_services": STRANGER})
    traefik = program(read, folder, {PLAIN: port}, Routes(port, SOCKETS, [], []))
    async with AsyncExitStack() as stack:
        for stubs in (api, emitters):
            await stack.enter_async_context(stubs.running())
        running = docker(read, folder, traefik, [*containers, stranger])
        imitation, guard, processes = await stack.enter_async_context(running)
        gateway = Gateway(f"{HOST}:{port}", guard, api, emitters, imitation, containers)
        await eventually(gateway.routes, message=f"both services are reached\n{processes.tails()}")
        yield gateway


async def test_all_else_is_the_apis_and_taken_in_turn(gateway: Gateway) -> None:
    """`/` and all below it is the API's; a path that only begins like the sockets' too."""
    for path in ("/", "/products?limit=1", "/websocket-serviceX", "/websocket-service.json", "/emit", "/metrics"):
        assert (await gateway.reached(path))["service"] == "api", path
    served = Counter([(await gateway.reached("/products"))["address"] for _ in range(12)])
    assert served.keys() == set(API)
    assert max(served.values()) - min(served.values()) <= 2  # Traefik's turn is not quite even


async def test_the_sockets_are_the_emitters(gateway: Gateway) -> None:
    """Each public path of the emitter is routed to it, as it was asked for, with its query."""
    for path in public_paths(SOCKETS):
        said = await gateway.reached(f"{path}?EIO=4&transport=polling")
        assert (said["service"], said["path"], said["query"]) == ("emitter", path, "EIO=4&transport=polling")


async def test_nothing_else_reaches_an_emitter(gateway: Gateway) -> None:
    """Its internal calls and probes are out of reach, however they are asked for."""
    assert await exposed(gateway.address, gateway.emitters, SOCKETS, disguised(SOCKETS)) == []


async def test_a_client_cannot_forge_where_it_comes_from(gateway: Gateway) -> None:
    """The forwarded headers are the proxy's own: a page of another origin gets nothing by naming that origin."""
    forged = {
        "Host": "shop.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example",
    }
    for path in ("/", f"{SOCKETS}/", f"{SOCKETS}/?EIO=4&sid=1"):
        headers = (await gateway.reached(path, **forged))["headers"]
        assert headers["x-forwarded-host"] == headers["host"] == "shop.example"
        assert headers["x-forwarded-for"] == HOST
        assert headers["x-forwarded-proto"] == "http"
        assert not headers.get("forwarded")


async def test_a_session_stays_where_it_was_opened(gateway: Gateway) -> None:
    """The answer to a handshake carries a cookie, which leads what has a `sid` back to that emitter."""
    opened = [await gateway.ask(HANDSHAKE) for _ in range(12)]
    assert {json.loads(each.body)["address"] for each in opened} == set(EMITTERS)
    for each in opened:
        given = each.headers["Set-Cookie"]
        assert given.startswith("storecast_emitter=")
        assert f"Path={SOCKETS}; HttpOnly; SameSite=Lax" in given
        cookie = given.partition(";")[0]
        for _ in range(3):
            said = await gateway.reached(f"{HANDSHAKE}&sid=1", Cookie=cookie)
            assert said["address"] == json.loads(each.body)["address"]
        anew = {(await gateway.reached(HANDSHAKE, Cookie=cookie))["address"] for _ in range(12)}
        assert len(anew) > 1


async def test_containers_that_come_and_go_are_noticed(gateway: Gateway) -> None:
    """Without a restart, and within seconds: one that is not healthy, or not there any more, is asked nothing."""
    *others, _ = gateway.containers
    sick = [each._replace(health="unhealthy") if each is gateway.containers[0] else each for each in others]
    gateway.docker.change(sick)

    async def served() -> bool:
        api = {(await gateway.reached("/"))["address"] for _ in range(6)}
        emitters = {(await gateway.reached(HANDSHAKE))["address"] for _ in range(12)}
        return api == set(API[1:]) and emitters == set(EMITTERS[:-1])

    await eventually(served, message="the one that is sick and the one that is gone are asked nothing")
    gateway.docker.change(gateway.containers)

    async def all_served() -> bool:
        return {(await gateway.reached("/"))["address"] for _ in range(6)} == set(API)

    await eventually(all_served, message="it is asked again")


async def test_traefik_may_only_look(gateway: Gateway) -> None:
    """Of Docker's API it gets who is there; whatever changes something, or tells more, ends before Docker's socket."""
    looked = {each.split("/")[-1] for each in gateway.docker.asked}
    assert looked <= {"version", "json", "events"}
    gateway.docker.asked.clear()
    one = gateway.containers[0].id
    for method, path in [
        ("POST", "/containers/create"),
        ("POST", f"/v1.50/containers/{one}/exec"),
        ("POST", "/v1.50/containers/json"),
        ("DELETE", f"/v1.50/containers/{one}/json"),
        ("GET", f"/v1.50/containers/{one}/archive?path=/run/secrets"),
        ("GET", f"/v1.50/containers/{one}/logs?stdout=1"),
        ("GET", f"/containers/{one}/json/../archive"),
        ("GET", f"/containers/json%2f..%2f{one}/archive"),
        ("GET", "//containers/json"),
        ("GET", "/v1.50/secrets"),
        ("GET", "/info"),
    ]:
        assert (await request(f"http://{gateway.guard}", method, path)).status == HTTPStatus.FORBIDDEN, path
    assert gateway.docker.asked == []
    seen = await request(f"http://{gateway.guard}", "GET", "/v1.50/containers/json")
    assert len(json.loads(seen.body)) == len(gateway.containers)
