"""What operators see and do through any replica of the API, with real emitters behind it."""

import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from api_service.app import create_app
from api_service.database import Database, clients_of
from api_service.emitters import Emitters
from api_service.operators.observer import observe
from api_service.settings import Settings
from deploy.local.ports import free_ports
from tests.integration.cluster import all_at, clients, emitters
from tests.integration.drafts import create
from tests.integration.emitter import SECRET, Emitter
from tests.redis_server import RedisServer
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually

OPERATOR = {"Authorization": f"Bearer {token('ann', scope='operate products:write')}"}
CLIENTS = 3


@contextlib.asynccontextmanager
async def api(url: str, *addresses: str, **fields: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a replica that knows these emitters; an operator calls it by its own address."""
    emitter_url = ",".join(f"http://{address}" for address in addresses)
    given = {"instance": "api-1", "jwt_secret": JWT_SECRET, "emitter_secret": SECRET, "writes_per_second": 0}
    app = create_app(Settings.model_validate({**given, "mongo_url": url, "emitter_url": emitter_url, **fields}))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=OPERATOR) as http,
    ):
        yield http


@pytest.fixture
async def three(redis: RedisServer) -> AsyncIterator[list[Emitter]]:
    async with emitters(3, redis.url, drain_seconds=0.2) as running:
        yield running


@pytest.fixture
async def lone() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        yield emitter


async def state(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/operate/state")
    assert answer.status_code == HTTPStatus.OK, answer.text
    return dict(answer.json())


def left(running: list[Emitter]) -> list[int]:
    return [len(emitter.hub.subscriptions) for emitter in running]


async def test_all_that_runs_is_seen_from_any_replica(database_url: str, three: list[Emitter]) -> None:
    """Who leads, what waits, and each emitter with its state, its clients and how late its loop is."""
    async with api(database_url, three[2].address) as http:
        await all_at(0, three)
        await create(http)
        await all_at(1, three)
        async with clients([*three, three[1]]):

            async def delivered() -> bool:
                feed = (await state(http))["feed"]
                seen = (feed["leader"], feed["log_end"], feed["undelivered_events"], feed["undelivered_age_s"])
                return bool(seen == ("api-1", 1, 0, 0.0))

            await eventually(delivered, message="the event is delivered", timeout_s=20)
            seen = await state(http)
    assert (seen["feed_away"], seen["cluster_away"], seen["cluster"]["silent_nodes"]) == (None, None, [])
    assert [(each["node"], each["state"], each["connections"]) for each in seen["cluster"]["emitters"]] == [
        ("emitter-1", "ready", 1),
        ("emitter-2", "ready", 2),
        ("emitter-3", "ready", 1),
    ]
    assert all(each["lag_ms"] >= 0 for each in seen["cluster"]["emitters"])


async def test_one_of_many_is_drained_or_shed_by_any_replica(database_url: str, three: list[Emitter]) -> None:
    """The replica knows another emitter than the one that is meant."""
    async with api(database_url, three[0].address) as http:
        await all_at(0, three)
        async with clients(three * CLIENTS):
            shed = await http.post("/operate/rebalance", json={"node": "emitter-2", "target": 1})
            assert (shed.status_code, shed.json()["shedding"]) == (HTTPStatus.ACCEPTED, CLIENTS - 1)
            await eventually(lambda: left(three) == [CLIENTS, 1, CLIENTS], message="it sheds", timeout_s=20)
            drained = await http.post("/operate/drain", json={"node": "emitter-3"})
            assert (drained.status_code, drained.json()) == (
                HTTPStatus.ACCEPTED,
                {"state": "draining", "connections": CLIENTS, "shedding": CLIENTS},
            )
            await eventually(lambda: left(three) == [CLIENTS, 1, 0], message="it drains", timeout_s=20)
        states = {each["node"]: each["state"] for each in (await state(http))["cluster"]["emitters"]}
    assert states == {"emitter-1": "ready", "emitter-2": "ready", "emitter-3": "draining"}


@pytest.mark.parametrize(
    ("path", "order", "field"),
    [
        ("drain", {"node": "emitter-9"}, "node"),
        ("rebalance", {"node": "emitter-9", "target": 0}, "node"),
        ("drain", {}, "node"),
        ("drain", {"node": ""}, "node"),
        ("drain", {"node": {"$gt": ""}}, "node"),
        ("drain", {"node": "emitter-1", "all": True}, "all"),
        ("rebalance", {"node": "emitter-1"}, "target"),
        ("rebalance", {"node": "emitter-1", "target": -1}, "target"),
        ("rebalance", {"node": "emitter-1", "target": 1.5}, "target"),
        ("rebalance", {"node": "emitter-1", "target": 10**30}, "target"),
        ("drain", {"node": "x" * 101}, "node"),
    ],
)
async def test_a_wrong_order_names_the_field(
    database_url: str, lone: Emitter, path: str, order: dict[str, Any], field: str
) -> None:
    """422 as a problem document, of an emitter that is not there as of a figure that is none; nobody is sent away."""
    async with api(database_url, lone.address) as http:
        answer = await http.post(f"/operate/{path}", json=order)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await lone.http.get("/readyz")).json()["status"] != "draining"


async def test_what_is_away_hides_nothing_of_the_rest(database_url: str, lone: Emitter) -> None:
    """Either is null, with the reason; an order that reaches nobody is 503, and says that nothing was done."""
    [nobody] = free_ports(1)
    async with api(database_url, f"127.0.0.1:{nobody}") as http:
        seen = await state(http)
        assert (seen["cluster"], seen["cluster_away"]) == (None, "no emitter can be reached: nothing was done")
        assert seen["feed"]["log_end"] == 0
        refused = await http.post("/operate/drain", json={"node": "emitter-1"})
        assert (refused.status_code, "nothing was done" in refused.json()["detail"]) == (503, True)
    settings = Settings.model_validate(
        {
            "emitter_secret": SECRET,
            "jwt_secret": JWT_SECRET,
            "mongo_url": f"mongodb://127.0.0.1:{nobody}/none",
            "emitter_url": f"http://{lone.address}",
        }
    )
    database_clients, name = clients_of(settings)
    async with Emitters.connect(settings) as reached:
        without = await observe(Database(database_clients, name, 0.3), reached)
    for client in database_clients:
        client.close()
    assert (without.feed, without.feed_away) == (None, "the database does not answer; try again in a second")
    assert without.cluster is not None
    assert [each.node for each in without.cluster.emitters] == ["emitter-1"]


async def test_redis_that_is_away_is_the_reason_that_is_given(
    database_url: str, redis: RedisServer, three: list[Emitter]
) -> None:
    """An emitter that cannot ask the others says so, and an order that names one is not said to be carried out."""
    async with api(database_url, three[0].address) as http:
        await redis.kill()
        seen = await state(http)
        assert (seen["cluster"], "Redis" in seen["cluster_away"]) == (None, True)
        refused = await http.post("/operate/drain", json={"node": "emitter-2"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080"])
async def test_without_tokens_this_machine_is_operated(database_url: str, lone: Emitter, host: str) -> None:
    """On loopback everybody may do everything, an operator too."""
    async with api(database_url, lone.address, auth="off") as http:
        del http.headers["Authorization"]
        http.headers["Host"] = host
        assert (await http.get("/operate/state")).is_success
        assert (await http.post("/operate/drain", json={"node": "emitter-1"})).status_code == HTTPStatus.ACCEPTED


@pytest.mark.parametrize(
    "host",
    ["shop.example", "shop.example:8080", "127.0.0.1.shop.example", "localhost.shop.example", "10.0.0.1", "[", ""],
)
async def test_without_tokens_no_other_name_is_operated(database_url: str, lone: Emitter, host: str) -> None:
    """A page whose name was made to lead to 127.0.0.1 is of our origin for its browser, and ends nobody's emitter."""
    async with api(database_url, lone.address, auth="off") as http:
        del http.headers["Authorization"]
        http.headers["Host"] = host
        for method, path in (("GET", "state"), ("POST", "drain"), ("POST", "rebalance")):
            answer = await http.request(method, f"/operate/{path}", json={"node": "emitter-1", "target": 0})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (421, "Host")
    assert (await lone.http.get("/readyz")).json()["status"] != "draining"


async def test_a_token_is_good_by_any_name(database_url: str, lone: Emitter) -> None:
    """Where tokens are shown, no page has one that it was not given."""
    async with api(database_url, lone.address) as http:
        http.headers["Host"] = "shop.example"
        assert (await http.get("/operate/state")).is_success


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
    ids=["undeclared", "text", "form", "upload"],
)
async def test_what_a_page_may_send_unasked_is_no_order(database_url: str, lone: Emitter, sent: dict[str, str]) -> None:
    """Another site's page sends such a body without its browser asking us; JSON it must ask for, and is refused."""
    async with api(database_url, lone.address, auth="off") as http:
        del http.headers["Authorization"]
        foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        answer = await http.post("/operate/drain", content=b'{"node": "emitter-1"}', headers={**foreign, **sent})
        assert answer.status_code == 422
        asked = {**foreign, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        permission = await http.options("/operate/drain", headers=asked)
        assert "Access-Control-Allow-Origin" not in permission.headers
        assert permission.status_code == 400
    assert (await lone.http.get("/readyz")).json()["status"] != "draining"
