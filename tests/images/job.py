"""The main job, done by the compose files: every client hears each product once and in order, whatever is killed."""

import asyncio
import itertools
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

import httpx

from shared.identity.identity import PRODUCTS_WRITE
from tests.images import reach
from tests.images.compose import URL, Composed, Container
from tests.images.engine import podman
from tests.listening import Hearing, Listener, Listening, PythonListener
from tests.scale.figure import Figure, at_most, none, told
from tests.tokens import JWT_SECRET, token
from tests.waiting import eventually

REPLICAS = 3
BREAKS = (("api", "emitter"), ("mongo", "redis"), ("gateway",))
"""The services of which a container is killed, those of one line at once."""

_NAMED_URL = URL.replace("127.0.0.1", "localhost")  # of an address aiohttp keeps no cookie
_BEFORE = 120
_DURING = 60
_AFTER_DRAIN_S = 2.0
_REPLICA_ENDS_WITHIN_S = 5.0
_BACK_WITHIN_S = 30
# It tries again at least each second, and keeps the cookie that leads it to its emitter.
_OPTIONS = {"reconnectionDelayMax": 1_000, "withCredentials": True}


class Variant(NamedTuple):
    """Compose files, and over how long an emitter drains there."""

    files: Sequence[str]
    drain_s: float


VARIANTS = {
    "one emitter behind nginx": Variant(("docker-compose.yml",), 0),
    "three emitters behind HAProxy": Variant(("docker-compose.yml", "deploy/compose/emitters.yml"), 10),
    "three members of MongoDB": Variant(("docker-compose.yml", "deploy/compose/mongo-members.yml"), 0),
}


class Verdict(NamedTuple):
    """How what was heard differs from what was created."""

    lost: int
    doubled: int
    out_of_order: int


def verdict(created: Sequence[str], heard: Sequence[str]) -> Verdict:
    """Hold the ids that a client heard against those that were created, one after the other."""
    known = {each: number for number, each in enumerate(created)}
    order = [known[each] for each in dict.fromkeys(heard) if each in known]
    late = sum(after < before for before, after in itertools.pairwise(order))
    return Verdict(len(known.keys() - set(heard)), len(heard) - len(set(heard)), late)


async def judge(variant: Variant) -> list[Figure]:
    """Bring it up, use it, kill a container of each kind meanwhile, and stop it in order."""
    began = time.monotonic()
    async with (
        Composed.up(
            variant.files, STORECAST_EMITTER_SECRET=secrets.token_hex(32), STORECAST_JWT_SECRET=JWT_SECRET
        ) as project,
        httpx.AsyncClient(base_url=URL, headers=_may_write(), trust_env=False, timeout=10) as http,
        AsyncExitStack() as stack,
    ):
        up_s = time.monotonic() - began
        listeners: list[Listening] = [
            Listener(URL, count=2, transports=["websocket"], **_OPTIONS),
            Listener(URL, count=2, **_OPTIONS),
            Listener(URL, count=2, transports=["polling"], **_OPTIONS),
            PythonListener(_NAMED_URL),
        ]
        clients = [client for listener in listeners for client in (await stack.enter_async_context(listener)).clients]
        job = _Job(project, _Shop(http), clients)
        await job.shop.create(_BEFORE)
        await job.heard()
        reached = await reach.judge(project)
        back_s = [await job.breaking(services) for services in BREAKS]
        return [
            told("up after", up_s, "s"),
            reached,
            *job.heard_right(),
            at_most("killed containers run again after", max(back_s), _BACK_WITHIN_S, "s"),
            *await job.stopped(variant.drain_s + _AFTER_DRAIN_S),
        ]


class _Job:
    """A project, who creates products there, and the clients that hear of them."""

    def __init__(self, project: Composed, shop: "_Shop", clients: Sequence[Hearing]) -> None:
        self.shop = shop
        self._project = project
        self._clients = clients

    async def heard(self) -> None:
        """Wait until every client has heard of all products."""
        for client in self._clients:
            await client.heard(len(self.shop.created))

    async def breaking(self, services: Sequence[str]) -> float:
        """Kill a container of each service while products are created; return after how long all run again."""
        killed = [each for service in services if (each := await self._chosen(service))]
        before = len(self.shop.created)
        creating = asyncio.create_task(self.shop.create(_DURING))
        await eventually(lambda: len(self.shop.created) > before + _DURING // 4, message="products are created")
        for container in killed:
            os.kill(container.pid, signal.SIGKILL)
        began = time.monotonic()
        await eventually(partial(self._run_again, killed), message="the engine starts them", timeout_s=_BACK_WITHIN_S)
        back_s = time.monotonic() - began
        await creating
        await self.heard()
        return back_s

    def heard_right(self) -> list[Figure]:
        """Say whether all that was created was heard once and in order, by everyone."""
        verdicts = [
            verdict(
                self.shop.created, [event.payload["id"] for event in client.numbered if event.event == "new_product"]
            )
            for client in self._clients
        ]
        later = [welcome for client in self._clients for welcome in client.messages("welcome")[1:]]
        return [
            told("clients", len(self._clients)),
            told("products", len(self.shop.created)),
            none("replicas that served no request", max(0, REPLICAS - len(self.shop.served_by))),
            *(none(what.replace("_", " "), sum(getattr(each, what) for each in verdicts)) for what in Verdict._fields),
            told("reconnects", len(later)),
            none("reconnects without recovery", sum(not welcome["recovered"] for welcome in later)),
        ]

    async def stopped(self, emitter_within_s: float) -> list[Figure]:
        """Stop an emitter under its clients, then every replica, and see how each one ends."""
        emitter_s, emitter_code = await _stop(await self._busiest())
        ends = [await _stop(replica) for replica in await self._project.containers("api")]
        codes = [emitter_code, *(code for _, code in ends)]
        return [
            at_most("SIGTERM to the end of an emitter", emitter_s, emitter_within_s, "s"),
            at_most(
                "SIGTERM to the end of the slowest replica",
                max(seconds for seconds, _ in ends),
                _REPLICA_ENDS_WITHIN_S,
                "s",
            ),
            none("ends with another exit code than 0", sum(code != 0 for code in codes)),
        ]

    async def _chosen(self, service: str) -> Container | None:
        if service == "api":
            return await self._leader()
        if service == "emitter":
            return await self._busiest()
        return next(iter(await self._project.containers(service)), None)

    async def _leader(self) -> Container:
        return _named(await self.shop.leader(), await self._project.containers("api"))

    async def _busiest(self) -> Container:
        """Return the emitter that most clients are on."""
        nodes = Counter(client.messages("welcome")[-1]["node"] for client in self._clients)
        return _named(max(nodes, key=lambda node: nodes[node]), await self._project.containers("emitter"))

    async def _run_again(self, killed: Sequence[Container]) -> bool:
        for container in killed:
            pids = {each.id: each.pid for each in await self._project.containers(container.service)}
            if pids.get(container.id, container.pid) == container.pid:
                return False
        return True


class _Shop:
    """Creates products one after the other, each until it is there."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.created: list[str] = []
        self.served_by: Counter[str] = Counter()
        self._http = http

    async def leader(self) -> str:
        """Return the name of the replica that numbers the events."""
        return str((await self._http.get("/readyz")).json()["leader"])

    async def create(self, count: int) -> None:
        """Create so many more."""
        for number in range(count):
            await eventually(self._creating(f"product {number}"), message="a product is created", timeout_s=30)

    def _creating(self, name: str) -> Callable[[], Awaitable[bool]]:
        headers = {"Idempotency-Key": secrets.token_hex(8)}

        async def created() -> bool:
            try:
                answer = await self._http.post("/products", json={"name": name, "price": "1.00"}, headers=headers)
            except httpx.TransportError:  # the gateway is away
                return False
            if answer.is_success:
                self.served_by[answer.headers["X-Served-By"]] += 1
                self.created.append(answer.json()["id"])
            return answer.is_success

        return created


def _may_write() -> dict[str, str]:
    return {"Authorization": f"Bearer {token('shop', scope=PRODUCTS_WRITE)}"}


def _named(instance: str, containers: Sequence[Container]) -> Container:
    """Return the container in which a process has this name: the beginning of its id, unless it is told another."""
    return next(each for each in containers if each.id.startswith(instance))


async def _stop(container: Container) -> tuple[float, int]:
    began = time.monotonic()
    await podman("stop", "--time=30", container.id)
    seconds = time.monotonic() - began
    return seconds, int(await podman("container", "inspect", "--format={{.State.ExitCode}}", container.id))
