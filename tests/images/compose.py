"""The compose files as they are, run by Compose itself, with podman in the place of Docker's engine."""

import asyncio
import json
import shlex
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.images import engine, names
from tests.images.engine import podman
from tests.processes import ROOT, environment
from tests.tools import require
from tests.waiting import eventually

URL = "http://127.0.0.1:8080"
"""Where docker-compose.yml publishes the gateway."""
_SOCKET = Path("/run/docker.sock")
_UP_WITHIN_S = 90
_LOOK_EVERY_S = 1


class Container(NamedTuple):
    """One container, as it runs now."""

    id: str
    service: str
    pid: int
    address: str


def adapted(config: dict[str, Any]) -> dict[str, Any]:
    """Return what `docker compose config` prints as podman 4.3 can take it; nothing else is changed.

    - An image is built beforehand: its build has to reach the registries.
    - Engines before 25 know no `start_interval`.
    - podman's imitation of Docker's API takes the words of a health check apart again, unless they are for a shell.
    - What is allowed to each process here is allowed to a container, too, and no more.
    """
    services = {name: dict(service) for name, service in config["services"].items()}
    for service in services.values():
        service.pop("build", None)
        service.pop("ulimits", None)
        if check := service.get("healthcheck"):
            kind, *words = check["test"]
            test = ["CMD-SHELL", shlex.join(words)] if kind == "CMD" else check["test"]
            service["healthcheck"] = {**check, "test": test}
            service["healthcheck"].pop("start_interval", None)
    return {**config, "services": services}


class Composed:
    """A project that is up. The context manager takes it down again, with its data."""

    def __init__(self, file: Path, variables: dict[str, str]) -> None:
        self._file = file
        self._variables = variables

    @classmethod
    @asynccontextmanager
    async def up(cls, files: Sequence[str], **variables: str) -> AsyncIterator[Self]:
        """Bring up what the files say, read from the project's folder one over the other; all is healthy."""
        file = engine.RUN / "compose.json"
        named = [option for each in files for option in ("--file", each)]
        config = json.loads(await _compose(variables, *named, "config", "--format=json"))
        file.write_text(json.dumps(adapted(config)))
        project = cls(file, variables)
        async with names.serving(), _docker_api():
            try:
                async with _health_checks():
                    await project._compose("up", "--detach", "--wait", f"--wait-timeout={_UP_WITHIN_S}")
                yield project
            finally:
                await _keep_logs(_log_folder(files))
                await project._compose("down", "--volumes", "--timeout=0")

    async def containers(self, service: str) -> list[Container]:
        """Return the running containers of a service."""
        label = f"--filter=label=com.docker.compose.service={service}"
        ids = (await podman("ps", "--quiet", "--no-trunc", label)).split()
        return [await _inspect(each, service) for each in ids]

    async def _compose(self, *arguments: str) -> str:
        return await _compose(self._variables, "--file", str(self._file), *arguments)


def _log_folder(files: Sequence[str]) -> Path:
    folder = engine.LOGS / Path(files[-1]).stem
    folder.mkdir(exist_ok=True)
    return folder


async def _keep_logs(folder: Path) -> None:
    for name in (await podman("ps", "--all", "--format={{.Names}}")).split():
        said = await engine.attempt("logs", name)
        state = await podman("container", "inspect", "--format={{json .State}}", name)
        (folder / f"{name}.log").write_text(f"{said.output}{said.errors}{state}\n")


async def _inspect(container: str, service: str) -> Container:
    [found] = json.loads(await podman("container", "inspect", container))
    addresses = [network["IPAddress"] for network in found["NetworkSettings"]["Networks"].values()]
    return Container(container, service, found["State"]["Pid"], addresses[0] if addresses else "")


async def _compose(variables: dict[str, str], *arguments: str) -> str:
    program = require("docker-compose", "install Compose 2.24.4 or later: tests/setup/debian-13 docker-compose")
    process = await asyncio.create_subprocess_exec(
        *(program, *arguments),
        cwd=ROOT,
        env=environment({"DOCKER_HOST": f"unix://{_SOCKET}", "COMPOSE_ANSI": "never", **variables}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise engine.Failed(f"docker compose {' '.join(arguments)}: {errors.decode()}")
    return output.decode()


@asynccontextmanager
async def _docker_api() -> AsyncIterator[None]:
    """Have podman answer where Docker would."""
    service = await engine.serve(_SOCKET)
    try:
        await eventually(_SOCKET.exists, message="podman listens in Docker's place")
        yield
    finally:
        service.terminate()
        await service.wait()


@asynccontextmanager
async def _health_checks() -> AsyncIterator[None]:
    """Check every container's health over and over, as systemd does for podman where there is one."""

    async def check() -> None:
        while True:
            for container in (await podman("ps", "--quiet", "--filter=health=starting")).split():
                await engine.attempt("healthcheck", "run", container)
            await asyncio.sleep(_LOOK_EVERY_S)

    checking = asyncio.create_task(check())
    try:
        yield
    finally:
        checking.cancel()
        with suppress(asyncio.CancelledError):
            await checking
