import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.listening import Listener, Numbered
from tests.mongod import Mongod, unused_database
from tests.observability import ROOT, Selector, expressions, selectors
from tests.system import System
from tests.waiting import eventually

_METRICS_PAGE = ROOT / "docs/metrics.md"


@pytest.fixture(scope="module")
async def cluster(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Two replicas and two emitters, as real processes."""
    directory = tmp_path_factory.mktemp("journey")
    async with System.running(directory, mongod.url(unused_database()), replicas=2, emitters=2) as system:
        yield system


def _lines(system: System, word: str) -> list[dict[str, Any]]:
    """Return the lines of all services that contain a word, whichever service wrote them: what grep would find."""
    names = [*system.api_urls, *system.emitter_urls]
    logs: list[Path] = [system.processes[name].log for name in names]
    return [json.loads(line) for log in logs for line in log.read_text().splitlines() if word in line]


async def test_a_product_is_followed_by_one_id_through_all_logs(cluster: System) -> None:
    """Each event's id finds who stored it, numbered it, relayed it, took it, and each emitter that delivered it.

    That of a creation, of a change and of a deletion. The first line also has the request's id, and the others the
    event's number.
    """
    async with Listener(cluster.url, transports=["websocket"]) as listener:
        draft = {"name": "Moka", "price": "1"}
        made = await cluster.http.post("/products", json=draft, headers=_named("order-4711.a_b"))
        product = made.json()["id"]
        await cluster.http.patch(f"/products/{product}", json={"price": "2"}, headers=_named("order-4711.c"))
        await cluster.http.delete(f"/products/{product}", headers=_named("order-4711.d"))
        heard = await listener.client.heard(3)
    assert made.headers["X-Request-ID"] == "order-4711.a_b"
    assert [each.meta["id"] for each in heard] == [f"{product}-1", f"{product}-2", f"{product}-2-deleted"]

    steps = zip(heard, ("create", "update", "delete"), ("order-4711.a_b", "order-4711.c", "order-4711.d"), strict=True)
    for event, operation, request_id in steps:
        written = await _follow(cluster, event)
        assert (written["operation"], written["request_id"], written["product_id"]) == (operation, request_id, product)


def _named(request_id: str) -> dict[str, str]:
    return {"X-Request-ID": request_id}


async def _follow(cluster: System, event: Numbered) -> dict[str, Any]:
    """Find every step of an event by its id; return the first, of the request."""
    event_id = event.meta["id"]

    def followed() -> list[dict[str, Any]] | None:
        # The id of a deletion begins with that of the change before.
        lines = _lines(cluster, f'"{event_id}"')
        return lines if sum(line["event"] == "delivered" for line in lines) == 2 else None

    lines = await eventually(followed, message="both emitters have delivered it")

    leader = await cluster.leader()
    told = {(line["event"], line["service"]): line for line in lines}
    assert set(told) == {
        ("product written", "api"),
        ("numbered", "api"),
        ("relayed", "api"),
        ("taken", "emitter"),
        ("delivered", "emitter"),
    }
    written = told["product written", "api"]
    assert told["numbered", "api"]["instance"] == told["relayed", "api"]["instance"] == leader
    for line in lines:
        if line is not written:
            assert line["first_seq"] <= event.seq <= line["last_seq"]
    assert {line["instance"] for line in lines if line["event"] == "delivered"} == set(cluster.emitter_urls)
    return written


async def test_logs_hold_no_secret_and_nothing_of_a_product(cluster: System) -> None:
    """Neither the emitter secret nor what a product, or a request that is refused, says of itself."""
    body = {"name": "hunter2-name", "description": "hunter2-description", "price": "1", "tags": ["hunter2-tag"]}
    product = (await cluster.http.post("/products", json=body)).json()
    await cluster.http.patch(f"/products/{product['id']}", json={"name": "hunter2-again"})
    assert (await cluster.http.post("/products", json={**body, "price": "hunter2-price"})).status_code == 422
    message = {"event": "hunter2-event", "payload": "hunter2-payload", "to": ["user:hunter2-user"]}
    assert (await cluster.http.post("/messages", json=message)).status_code == 200
    await eventually(lambda: len(_lines(cluster, f"{product['id']}-2")) >= 6, message="all have told of the change")

    assert not _lines(cluster, "hunter2")
    assert not _lines(cluster, cluster.secret)


@pytest.mark.parametrize("given", [b"", b"a" * 101, b"two words", b'a"b', "naïve".encode()], ids=repr)
async def test_a_request_id_that_could_spoil_the_log_is_replaced(cluster: System, given: bytes) -> None:
    """Too long, or with other characters than a name has: the request is given an id of its own."""
    response = await cluster.http.get("/products", headers=[(b"X-Request-ID", given)])

    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


async def test_every_metric_that_the_board_and_the_alerts_name_is_there(cluster: System) -> None:
    """With the labels, and their values, that are demanded: at a service that runs, before anything has gone wrong."""
    there = [
        family
        for families in [await _scrape(cluster, "api-1"), await _scrape(cluster, "emitter-1")]
        for family in families
    ]
    samples = [(sample.name, sample.labels) for family in there for sample in family.samples]

    def is_there(wanted: Selector) -> bool:
        # What Prometheus adds by itself.
        labels = {name: value for name, value in wanted.labels.items() if name not in {"job", "instance"}}
        return any(
            name == wanted.metric
            and all(own.get(key) == value or (value is None and key in own) for key, value in labels.items())
            for name, own in samples
        )

    named = [selector for expression in expressions() for selector in selectors(expression)]
    assert not {str(selector) for selector in named if selector.metric != "up" and not is_there(selector)}


async def test_the_page_about_metrics_lists_those_that_are_there(cluster: System) -> None:
    """Each of ours, by service, and no other."""
    listed = set(re.findall(r"^\| `(storecast_\w+)", _METRICS_PAGE.read_text(), re.MULTILINE))
    there = {_name(family) for name in ("api-1", "emitter-1") for family in await _scrape(cluster, name)}

    assert listed == {name for name in there if name.startswith("storecast_")}


async def _scrape(system: System, name: str) -> list[Metric]:
    url = {**system.api_urls, **system.emitter_urls}[name]
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        await http.get("/no-such-page")
        return list(text_string_to_metric_families((await http.get("/metrics")).text))


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name
