"""What the log or the emitter does not hold any more, before stock clients and a real emitter."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from api_service.feed import retention
from api_service.relay import emitter_client
from deploy.local import services
from deploy.local.ports import free_ports
from deploy.local.settings import LocalSettings
from tests.events import event, live
from tests.integration.candidate import candidate
from tests.integration.emitter import Emitter
from tests.integration.feed import SECRET, Feed, product
from tests.listening import Listener
from tests.processes import Process, Processes
from tests.waiting import eventually

KEPT = 10
SOON = {"reconnectionDelay": 200, "reconnectionDelayMax": 200, "randomizationFactor": 0}


@pytest.fixture
async def feed(database_url: str) -> AsyncIterator[Feed]:
    async with Feed.open(database_url, "watcher") as feed:
        yield feed


def relay_failures() -> float:
    value = REGISTRY.get_sample_value("storecast_relay_failures_total")
    assert value is not None
    return value


@asynccontextmanager
async def emitter_process(directory: Path) -> AsyncIterator[Process]:
    program = services.emitter(1, free_ports(1)[0], LocalSettings(emitter_secret=SecretStr(SECRET)), page_ports=[])
    with Processes([program], directory) as processes:
        processes.start_what_is_down()
        yield processes[program.name]


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_log_that_goes_on_without_a_dead_emitter(
    feed: Feed, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    """Past the cap, what the emitter lacks is removed: its clients are told to read anew, and hear what is new.

    A stopped emitter has its memory and its sockets when it goes on, a killed one has neither.
    """
    monkeypatch.setattr(retention, "EVERY_S", 0.1)
    monkeypatch.setattr(emitter_client, "_TIMEOUT", httpx.Timeout(0.5))
    limits = {"retention_events": KEPT, "retention_cap_events": KEPT}
    async with emitter_process(tmp_path) as emitter:
        address = emitter.program.address
        async with (
            candidate(database_url, "api-1", address.removeprefix("http://"), **limits),
            Listener(address, reconnectionDelayMax=1_000) as listener,
        ):
            client = listener.client
            await eventually(lambda: client.messages("welcome")[-1]["position"], message="the emitter has a position")
            await feed.products.insert_one(product("before"))
            await client.heard(1)

            emitter.send(how)
            failures = relay_failures()
            # A stopped emitter takes this one when it goes on: it was posted already.
            await feed.products.insert_one(product("in flight"))
            await eventually(lambda: relay_failures() > failures, message="the relay gives its call up")
            await feed.products.insert_many([product(str(number)) for number in range(100)])

            async def overtaken() -> bool:
                return (await feed.log.end()).seq == 102 and (await feed.log.first_seq() or 0) > 102 - KEPT

            await eventually(overtaken, message="the log has gone on")
            if how == signal.SIGSTOP:
                emitter.send(signal.SIGCONT)
            else:
                await emitter.ended()
                emitter.start()
            await client.welcomed(2)
            await eventually(lambda: client.messages("welcome")[-1]["position"], message="the emitter has a position")
            await feed.products.insert_one(product("after"))
            await eventually(lambda: client.numbered[-1].payload["name"] == "after", message="the new product is heard")
    heard = [(event.seq, event.payload["name"]) for event in client.numbered]
    assert [each for each in heard if each != (2, "in flight")] == [(1, "before"), (103, "after")]
    assert [welcome["recovered"] for welcome in client.messages("welcome")] == [False] * len(client.messages("welcome"))
    assert [connect["recovered"] for connect in client.of("connect")] == [False, False]


async def test_a_quiet_topic_recovers_however_busy_the_others_were() -> None:
    """The history has dropped far more than a client missed; none of it was of its topic, so that it is recovered."""
    quiet = {"topics": ["category:quiet"]}
    async with Emitter.running(history_events=1_000) as emitter:
        await emitter.open()
        url = f"http://{emitter.address}"
        async with Listener(url, auth=quiet, **SOON) as one, Listener(url, **SOON) as all_of_them:
            for listener in (one, all_of_them):
                listener.leave()
                await listener.client.dropped()
            for first in range(1, 2_000, 500):
                assert (await emitter.post(live(first, first + 499))).status_code == 200
            batch = live(2_001, 2_001).model_copy(update={"events": [event(2_001, "products", "category:quiet")]})
            assert (await emitter.post(batch)).status_code == 200
            assert (await emitter.post(live(2_002, 2_501))).status_code == 200
            for listener in (one, all_of_them):
                listener.enter()
            heard = await one.client.heard(1)
            await all_of_them.client.welcomed(2)
    assert [event.seq for event in heard] == [2_001]
    assert one.client.of("connect")[1]["recovered"] is True
    assert all_of_them.client.of("connect")[1]["recovered"] is False
    assert not all_of_them.client.numbered
