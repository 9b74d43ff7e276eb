import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx

from deploy.local import readiness, system
from deploy.local.child import Program
from deploy.local.data_dir import DataDir
from deploy.local.gateway import PROXIES, Choice
from deploy.local.ports import free_ports
from deploy.local.settings import LocalSettings
from tests.polling import leads_to_all
from tests.processes import Processes
from tests.tools import missing
from tests.waiting import eventually

EMITTER = "emitter-1"
GATEWAY = "gateway"
READY_TIMEOUT_S = 60
_REQUEST_TIMEOUT_S = 30


class System:
    """A whole Storecast of real processes, for a test to use and to break.

    They are those of `storecast up`, `redis`, `api-1`, `api-2`, ..., `emitter-1`, ..., and the `gateway`, without its
    supervision: what a test ends stays down until the test starts it again.
    """

    def __init__(self, plan: system.System, secret: str, processes: Processes, http: httpx.AsyncClient) -> None:
        self.secret = secret
        self.mongo_url = plan.mongo_url
        self.url = plan.front.address
        self.sockets_url = plan.sockets_origin
        self.emitter_url = plan.emitters[0].address
        self.emitter_urls = {emitter.name: emitter.address for emitter in plan.emitters}
        self.api_urls = {replica.name: replica.address for replica in plan.replicas}
        self.processes = processes
        self.http = http
        self._plan = plan

    @classmethod
    def as_run(cls, program: Program) -> Program:
        """Return a program as it is run: as `storecast up` does, unless a test has it otherwise."""
        return program

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        directory: Path,
        mongo_url: str,
        replicas: int = 3,
        *,
        emitters: int = 1,
        gateway: Choice = "nginx",
        **settings: Any,
    ) -> AsyncIterator[Self]:
        """Run one; all its parts are ready.

        Args:
            directory: Where logs and the gateway's files go.
            mongo_url: A database that nothing else uses.
            replicas: How many API processes.
            emitters: How many emitters; several share a Redis.
            gateway: Which proxy is in front.
            settings: Of the services, such as `socket_path`.
        """
        require_gateway(gateway)
        local = LocalSettings(log_format="json", **{"drain_seconds": 1, **settings})
        data = DataDir(directory)
        data.make()
        [port] = free_ports(1)
        options = system.Options(port, replicas, mongo_url, directory, gateway, emitters=emitters)
        plan = system.plan(options, local, data)
        async with httpx.AsyncClient(base_url=plan.front.address, trust_env=False, timeout=_REQUEST_TIMEOUT_S) as http:
            programs = [*plan.redises, *plan.emitters, *plan.replicas, *plan.gateways]
            with Processes(map(cls.as_run, programs), directory / "log") as processes:
                running = cls(plan, local.emitter_secret.get_secret_value(), processes, http)
                await running.restore()
                yield running

    def start(self, name: str) -> None:
        """Start a process that does not run; `ready` waits until it is of use."""
        self.processes[name].start()

    async def stop(self, name: str) -> int:
        """End a process by SIGTERM and return its exit code."""
        return await self.processes[name].stop()

    async def kill(self, name: str) -> None:
        """End a process by SIGKILL."""
        await self.processes[name].kill()

    async def restart(self, name: str) -> int:
        """End a process by SIGTERM, start it again, and return the exit code."""
        exit_code = await self.stop(name)
        self.start(name)
        return exit_code

    async def restore(self) -> None:
        """Start whatever a test has ended, and wait until the whole is ready."""
        self.processes.start_what_is_down()
        await self.ready()

    async def ready(self) -> None:
        """Wait until every process answers, a replica leads, and the emitter's position is the end of the event log.

        And, of several emitters, until the gateway has found each.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        missing = await readiness.wait_until(
            lambda: readiness.first_missing(self.http, self._plan), deadline, tell=lambda _: None
        )
        assert missing is None, f"{missing.child} {missing.reason}\n{self.processes[missing.child].tail()}"
        if (emitters := len(self.emitter_urls)) > 1:
            await eventually(
                lambda: leads_to_all(self.sockets_url, emitters), message="the gateway leads to each emitter"
            )

    async def leader(self) -> str:
        """Wait until a replica holds the lease, and return its name."""
        urls = [url for name, url in self.api_urls.items() if self.processes[name].running]

        async def leader() -> str | None:
            healths = [(await self.http.get(f"{url}/readyz")).json() for url in urls]
            return next((health["leader"] for health in healths if health.get("leader")), None)

        return await eventually(leader, message="a replica holds the lease")

    async def create(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create a product through the gateway, and return it as the API did."""
        response = await self.http.post("/products", json={"name": name, "price": "9.99", **fields})
        assert response.status_code == HTTPStatus.CREATED, response.text
        return dict(response.json())

    async def create_many(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """Create products one after the other."""
        return [await self.create(f"product {number}", **fields) for number in range(count)]


def require_gateway(choice: Choice) -> None:
    """Skip the test, or fail it where everything has to run, if this machine has no such proxy."""
    if PROXIES[choice].find() is None:
        missing(f"there is no {choice} on this machine: {PROXIES[choice].install_hint}")
