"""Each image started by hand, with the flags that docs/containers.md recommends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import NamedTuple

import httpx

from deploy.local.replica_set import step_to_primary
from tests.images import engine
from tests.images.build import NAMES, image
from tests.images.contents import USER
from tests.images.engine import podman
from tests.images.stand_ins import TARGETS
from tests.scale.figure import Figure, at_most, none
from tests.tokens import JWT_SECRET
from tests.waiting import eventually

READY_WITHIN_S = 3.0
# podman would give more places to write to than docker does.
HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)

_SECRETS = ("STORECAST_EMITTER_SECRET=a-secret-for-this-run", f"STORECAST_JWT_SECRET={JWT_SECRET}")
_MONGOD = "127.0.0.1:27017"
_URLS = {"api": "http://127.0.0.1:8000", "emitter": "http://127.0.0.1:9000"}
# An interpreter with what a service imports takes half a second.
_EARLY_S = (0.1, 0.25, 0.5, 1)
_STOP_WITHIN_S = 3


class Problem(NamedTuple):
    """A start that has to fail."""

    name: str
    variables: tuple[str, ...]
    names: str


_PROBLEMS = (
    Problem("api", (), "STORECAST_EMITTER_SECRET"),
    Problem(
        "api", (*_SECRETS, "STORECAST_MONGO_URL=mongodb://127.0.0.1:1", "STORECAST_STARTUP_TIMEOUT_MS=500"), "MONGO"
    ),
    Problem("emitter", (), "STORECAST_EMITTER_SECRET"),
    Problem("emitter", (*_SECRETS, "STORECAST_REDIS_URL=nonsense"), "STORECAST_REDIS_URL"),
)


async def judge() -> list[Figure]:
    """Start the images in all ways that have to work, and in those that must not."""
    figures: list[Figure] = []
    async with _mongo(), httpx.AsyncClient(trust_env=False) as http:
        figures += [
            at_most("api: ready after", await _answers_after(http, "api", "/readyz"), READY_WITHIN_S, "s"),
            at_most("emitter: answers after", await _answers_after(http, "emitter", "/livez"), READY_WITHIN_S, "s"),
            *await _together(http),
        ]
        figures += [none(f"{name}: SIGTERMs not heard as it starts", await _deaf(name)) for name in NAMES]
    unclear = [problem for problem in _PROBLEMS if not await _is_clear(problem)]
    figures += [none("start-up problems not told in one line", len(unclear))]
    return figures


async def _answers_after(http: httpx.AsyncClient, name: str, path: str) -> float:
    began = time.monotonic()
    async with _running(name):
        await _status(http, f"{_URLS[name]}{path}")
        return time.monotonic() - began


async def _together(http: httpx.AsyncClient) -> list[Figure]:
    """Have both, and look at them from outside and from inside."""
    began = time.monotonic()
    async with _running("emitter"), _running("api"):
        await asyncio.gather(*(_status(http, f"{url}/readyz") for url in _URLS.values()))
        ready = time.monotonic() - began
        figures = [at_most("emitter, then api: both ready after", ready, 2 * READY_WITHIN_S, "s")]
        for name in NAMES:
            figures += [
                none(f"{name}: privileges", await _privileges(name)),
                none(f"{name}: places that it can write to", await _writable(name)),
                none(f"{name}: failed health checks", (await engine.attempt("healthcheck", "run", name)).exit_code),
            ]
        return figures


async def _privileges(name: str) -> int:
    """Return how much the first process is more than it has to be: another user, capabilities, a way to more."""
    said = await podman("exec", name, "cat", "/proc/1/status")
    status = dict(line.split(":\t", 1) for line in said.splitlines())
    return sum(
        (
            status["Name"] != "python",
            {int(user) for user in status["Uid"].split()} != {USER},
            {int(group) for group in status["Gid"].split()} != {USER},
            any(int(status[capabilities], 16) for capabilities in ("CapEff", "CapPrm", "CapBnd")),
            status["NoNewPrivs"] != "1",
        )
    )


async def _writable(name: str) -> int:
    """Return how many places it can write to beside /tmp."""
    # It stays in the root file system: what else is mounted is made for it. What it may not enter is an error.
    found = await engine.attempt(
        "exec", name, "find", "/", "-xdev", "-writable", "-not", "-type", "l", "-not", "-name", "tmp"
    )
    return len(found.output.splitlines())


async def _deaf(name: str) -> int:
    """Return how many SIGTERMs were not heard that came while it started."""
    unheard = 0
    for after_s in _EARLY_S:
        async with _running(name):
            await asyncio.sleep(after_s)  # into its start; nothing there tells how far it has come
            await podman("stop", f"--time={_STOP_WITHIN_S}", name)
            unheard += await podman("container", "inspect", "--format={{.State.ExitCode}}", name) != "0"
    return unheard


async def _is_clear(problem: Problem) -> bool:
    ended = await engine.attempt("run", "--rm", *_options(*problem.variables), image(problem.name))
    said = [line for line in ended.errors.splitlines() if "healthcheck" not in line]  # podman's own
    return ended.exit_code == 2 and len(said) == 1 and problem.names in said[0]


@asynccontextmanager
async def _running(name: str) -> AsyncIterator[None]:
    await podman("run", "--detach", f"--name={name}", *_options(*_SECRETS), image(name))
    try:
        yield
    finally:
        await podman("rm", "--force", "--time=0", name)


def _options(*variables: str) -> list[str]:
    return ["--network=host", *HARDENED, *(f"--env={variable}" for variable in variables)]


@asynccontextmanager
async def _mongo() -> AsyncIterator[None]:
    own = ["--replSet=rs0", "--bind_ip=127.0.0.1", "--wiredTigerCacheSizeGB=0.25", "--oplogSize=64"]
    await podman("run", "--detach", "--name=mongo", "--network=host", TARGETS["mongo"], *own)
    try:
        await eventually(_has_primary, message="MongoDB has a primary", timeout_s=30)
        yield
    finally:
        await podman("rm", "--force", "--time=0", "--volumes", "mongo")


async def _has_primary() -> bool:
    return await step_to_primary([_MONGOD]) is None


async def _status(http: httpx.AsyncClient, url: str) -> None:
    async def ok() -> bool:
        try:
            return (await http.get(url)).status_code == HTTPStatus.OK
        except httpx.TransportError:  # nobody listens yet
            return False

    await eventually(ok, message=f"{url} answers", timeout_s=10 * READY_WITHIN_S)
