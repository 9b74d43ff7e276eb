"""What a stranger can reach through each proxy: an emitter's sockets, the API, and nothing internal.

Real proxies with the very files that are deployed, before stubs that read requests as the emitter does and note each
one that reached them: that is more than the status of an answer tells.
"""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api_service.app import create_app
from api_service.settings import Settings as ApiSettings
from deploy.local.gateway import PROXIES, Choice, choose
from deploy.local.ports import HOST, free_ports
from deploy.local.routes import Routes
from tests.disguises import (
    BELOW,
    CLOSE,
    SOCKETS,
    disguised,
    disguised_over_http2,
    internal_paths,
    odd_requests,
    plain_over_http2,
    public_paths,
    request,
    routes,
)
from tests.exposure import exposed
from tests.processes import Processes
from tests.smuggling import smuggles, smuggles_over_http2
from tests.stubs import Stubs
from tests.system import require_gateway
from tests.waiting import eventually
from tests.wire import exchange

FORMS = {"one origin": SOCKETS, "an origin of their own": "/"}
"""Where the sockets are: at a path of the API's origin, or not."""

# Whatever can stand in a path, as it can be written.
FRAGMENTS = (
    "/", "//", ".", "..", "/..", "%2e", "%2E%2e", "%2f", "%5c", "\\", ";", "%3b", ";a=b", "?", "%3f", "#", "%23", "&",
    "%00", "%0a", "%09", "%20", "%25", "%252e", "%252f", "%c0%ae", "%ff", "~", "*", ":", "@", ",", "http:", "x", "X",
    "%", "%zz", "[", "|", "=", "$", "websocket-service", "%77ebsocket-service", "WEBSOCKET-SERVICE", "sse", "raw",
    "assign", "asyncapi.json", "client.js", "socket.io.js",
    *(path.removeprefix("/") for path in internal_paths()),
)  # fmt: skip
by_chance = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=12).map("".join)


class Gateway(NamedTuple):
    """A proxy before stubs, with the path of the sockets and the addresses of both origins."""

    sockets: str
    address: str
    sockets_address: str
    http2_address: str
    api: Stubs
    emitters: Stubs

    async def asked(self, address: str, path: str) -> bytes:
        """Return what is answered to a plain request."""
        return await exchange(address, request(path, CLOSE))

    async def exposed(self, address: str, requests: Iterable[bytes], **options: float) -> list[str]:
        """Return which requests to an address reached an internal path of the emitter."""
        return await exposed(address, self.emitters, self.sockets, requests, **options)

    async def is_ready(self) -> bool:
        """Whether both services are reached."""
        try:
            answers = [await self.asked(self.address, "/"), await self.asked(self.sockets_address, self.sockets)]
        except OSError:
            return False
        return all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)


@pytest.fixture(scope="module", params=FORMS)
def sockets(request: pytest.FixtureRequest) -> str:
    """The path of the sockets."""
    return FORMS[request.param]


@pytest.fixture(scope="module", params=PROXIES)
async def gateway(
    request: pytest.FixtureRequest, sockets: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """Each proxy, as `storecast up` starts it."""
    choice: Choice = request.param
    require_gateway(choice)
    configure = choose(choice)
    assert configure
    folder = tmp_path_factory.mktemp(choice)
    api, emitters = Stubs("api", [HOST]), Stubs("emitter", [HOST])
    port, own_port, http2_port = free_ports(3)
    sockets_port = own_port if sockets == "/" else None
    program = configure(folder, Routes(port, sockets, [api.port], [emitters.port], sockets_port))
    sockets_address = http2_address = f"{HOST}:{sockets_port or port}"
    if choice == "nginx":  # the others take HTTP/2 at the same port
        http2_address = f"{HOST}:{http2_port}"
        servers = folder / "storecast.conf"
        listen = f"listen {sockets_address};"
        servers.write_text(servers.read_text().replace(listen, f"{listen} listen {http2_address} http2;"))
    gateway = Gateway(sockets, f"{HOST}:{port}", sockets_address, http2_address, api, emitters)
    async with AsyncExitStack() as stack:
        for stubs in (api, emitters):
            await stack.enter_async_context(stubs.running())
        processes = stack.enter_context(Processes([program], folder))
        processes.start_what_is_down()
        await eventually(gateway.is_ready, message=f"both services are reached\n{processes.tails()}")
        yield gateway


def test_no_call_of_the_emitter_is_forgotten() -> None:
    """What is tried is taken from the emitter's own routes; what is public among them stands in the list of that."""
    assert {"/emit", "/events", "/events/position", "/connections", "/drain", "/rebalance", "/metrics"} < set(
        internal_paths()
    )
    assert {"/livez", "/readyz", "/openapi.json"} < set(internal_paths())
    assert routes() - set(internal_paths()) <= {f"{SOCKETS}{below}" for below in BELOW}


async def test_without_a_proxy_they_get_through() -> None:
    """Each kind of what is tried would reach an emitter's internal calls, if only nobody stood before it."""
    emitters = Stubs("emitter", [HOST])
    async with emitters.running():
        for kind in (disguised(SOCKETS), odd_requests(SOCKETS), smuggles(f"{SOCKETS}/sse", "/emit")):
            assert await exposed(f"{HOST}:{emitters.port}", emitters, SOCKETS, kind, silence_s=0.5)


async def test_the_sockets_are_the_emitters(gateway: Gateway) -> None:
    """Each public path leads to the emitter, as it was asked for: the proxy does route."""
    gateway.emitters.arrivals.clear()
    for path in public_paths(gateway.sockets):
        assert b'"service": "emitter"' in await gateway.asked(gateway.sockets_address, f"{path}?EIO=4")
    assert gateway.emitters.paths == public_paths(gateway.sockets)


async def test_all_else_of_the_origin_is_the_apis(gateway: Gateway) -> None:
    """Each route of the API is public, its metrics and probes too; a call of the emitter's name is asked of the API."""
    api = create_app(ApiSettings(emitter_secret="x" * 16, auth="off"))
    public = {re.sub(r"{[^}]*}", "1", str(context.path)) for context in iter_route_contexts(api.routes)}
    assert {"/products", "/events", "/messages", "/metrics", "/livez", "/readyz", "/docs", "/openapi.json"} < public
    gateway.api.arrivals.clear()
    for path in (*public, *internal_paths(), f"{SOCKETS}X", f"{SOCKETS}/emit"):
        assert b'"service": "api"' in await gateway.asked(gateway.address, path), path
    assert gateway.api.paths == {*public, *internal_paths(), f"{SOCKETS}X", f"{SOCKETS}/emit"}


async def test_no_disguised_path_reaches_an_internal_call(gateway: Gateway) -> None:
    """Below the socket path, by dots, slashes and whatever else one side may read differently, encoded or not."""
    assert await gateway.exposed(gateway.sockets_address, disguised(gateway.sockets)) == []


async def test_no_other_line_of_a_request_does(gateway: Gateway) -> None:
    """Headers that name another path, method or host; request lines that are none."""
    for address in {gateway.address, gateway.sockets_address}:
        assert await gateway.exposed(address, odd_requests(gateway.sockets)) == []


async def test_no_request_inside_another_one_does(gateway: Gateway) -> None:
    """Whatever a body's length is said to be; and an upgrade that fails leaves no tunnel."""
    requests = smuggles(f"{gateway.sockets.rstrip('/')}/sse", "/emit")
    # An answer that is kept open is the rule here.
    assert await gateway.exposed(gateway.sockets_address, requests, silence_s=0.5) == []


async def test_nothing_does_by_http2(gateway: Gateway) -> None:
    """Neither a disguised path, nor a field with a line end, nor a body of another length than is said."""
    outer = f"{gateway.sockets.rstrip('/')}/sse"
    gateway.emitters.arrivals.clear()
    await exchange(gateway.http2_address, plain_over_http2(outer))
    assert gateway.emitters.paths == {outer}
    requests = (*disguised_over_http2(gateway.sockets), *smuggles_over_http2(outer, "/emit"))
    assert await gateway.exposed(gateway.http2_address, requests, silence_s=0.5) == []


@given(targets=st.lists(by_chance, min_size=20, max_size=40))
@settings(
    max_examples=12,
    derandomize=True,  # a run says something about the change that it tests, not about chance
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
async def test_no_path_by_chance_does(gateway: Gateway, targets: list[str]) -> None:
    """Any row of what can stand in a path."""
    several = [request(prefix + target, CLOSE) for target in targets for prefix in ("/", f"{gateway.sockets}/../")]
    assert await gateway.exposed(gateway.sockets_address, several) == []
