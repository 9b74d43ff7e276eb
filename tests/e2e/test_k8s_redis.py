"""Redis and its Sentinels as the overlays start them: with the very scripts, on addresses of the loopback interface."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from deploy.local.child import Program
from deploy.local.ports import free_ports
from shared.serving.redis import closing
from tests.k8s.manifests import Manifest, environment, one, overlay, pod
from tests.processes import Process, Processes
from tests.processes import environment as environment_of
from tests.tools import require
from tests.waiting import eventually
from ws_service.cluster.redis import open_redis

ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
PASSWORD = "f00d"
FAIL_OVER_S = 40


class Redises:
    """Two Redis servers and three Sentinels, each the container of a pod."""

    def __init__(self, folder: Path) -> None:
        require("redis-server", "install the Debian package redis-server")
        self._manifests = overlay("many-emitters")
        self.redis_port, self.sentinel_port = free_ports(2)
        self._folder = folder
        self._scripts()
        pods = [("redis", ADDRESSES[:2]), ("redis-sentinel", ADDRESSES)]
        programs = [self._program(name, index, at) for name, all_ in pods for index, at in enumerate(all_)]
        self.processes = Processes(programs, folder)

    def redis(self, index: int, password: str | None = PASSWORD) -> Any:
        """Return a client of one server."""
        return Redis(ADDRESSES[index], self.redis_port, password=password, decode_responses=True)

    def sentinel(self, index: int) -> Any:
        """Return a client of one Sentinel."""
        return Redis(ADDRESSES[index], self.sentinel_port, decode_responses=True)

    def watched(self, index: int = 0) -> dict[str, Any]:
        """Return what a Sentinel knows of the primary; nothing while it does not answer."""
        try:
            known: dict[str, Any] = self.sentinel(index).sentinel_master("storecast")
        except RedisError:
            return {}
        return known

    def are_settled(self, primary: int) -> bool:
        """Whether each Sentinel knows this primary and the other Sentinels, and the replica follows."""
        known = [self.watched(index) for index in range(3)]
        if not all(known) or {each["ip"] for each in known} != {ADDRESSES[primary]}:
            return False
        try:
            follows = self.redis(1 - primary).info("replication")
        except RedisError:
            return False
        others = {each["num-other-sentinels"] for each in known}
        return others == {2} and follows["role"] == "slave" and follows["master_link_status"] == "up"

    def knows_a_replica(self) -> bool:
        """Whether each Sentinel could have one take over; they look every ten seconds."""
        return all(self.watched(index).get("num-slaves") == 1 for index in range(3))

    async def settled(self, primary: int) -> None:
        """Wait for that."""
        await eventually(
            lambda: asyncio.to_thread(self.are_settled, primary),
            timeout_s=FAIL_OVER_S,
            message=f"redis-{primary} is the primary\n{self.processes.tails()}",
        )

    async def is_ready(self, name: str, index: int) -> bool:
        """Ask a pod's own readiness probe."""
        container = self._container(name)
        program = self._program(name, index, ADDRESSES[index])
        process = await asyncio.create_subprocess_exec(
            *container["readinessProbe"]["exec"]["command"],
            env=environment_of(program.environment),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await process.wait() == 0

    def _container(self, name: str) -> Manifest:
        [container] = pod(one(self._manifests, "StatefulSet", name))["containers"]
        return dict(container)

    def _scripts(self) -> None:
        volumes = pod(one(self._manifests, "StatefulSet", "redis"))["volumes"]
        [name] = [volume["configMap"]["name"] for volume in volumes if "configMap" in volume]
        for script, text in one(self._manifests, "ConfigMap", name)["data"].items():
            (self._folder / script).write_text(text)

    def _program(self, name: str, index: int, address: str) -> Program:
        own = self._folder / f"{name}-{index}.pod"
        own.mkdir(exist_ok=True)
        container = self._container(name)
        given = {key: value for key, value in environment(container).items() if isinstance(value, str)}
        own_values = {
            "POD_IP": address,
            "ANNOUNCE_HOST": address,
            "REDISCLI_AUTH": PASSWORD,
            "REDIS_HOSTS": " ".join(ADDRESSES[:2]),
            "REDIS_PORT": str(self.redis_port),
            "SENTINEL_HOSTS": " ".join(ADDRESSES),
            "SENTINEL_PORT": str(self.sentinel_port),
            "SCRIPTS": str(self._folder),
            "CONFIGURATION": str(own),
            "DATA": str(own),
        }
        assert given.keys() - {"POD_NAME"} <= own_values.keys()
        command = tuple(part.replace("/scripts", str(self._folder)) for part in container["command"])
        return Program(f"{name}-{index}", address, command, own_values)


@pytest.fixture
def redises(tmp_path: Path) -> Iterator[Redises]:
    """All of them, started at once."""
    started = Redises(tmp_path)
    with started.processes as processes:
        processes.start_what_is_down()
        try:
            yield started
        finally:
            for index in range(2):
                _end(processes[f"redis-{index}"])
            for index in range(3):
                _end(processes[f"redis-sentinel-{index}"])


def _end(process: Process) -> None:
    if process.running:
        process.send(signal.SIGKILL)


async def test_a_replica_takes_over_and_keeps_what_there_is(redises: Redises) -> None:
    """The first pod is the primary; when it dies the other is, and it comes back as a replica; emitters follow.

    A Sentinel that is started anew is the one that it was, and knows who the primary is now. Nobody gets in without
    the password, and each pod's probe says that it is ready.
    """
    await redises.settled(primary=0)
    await eventually(redises.knows_a_replica, timeout_s=FAIL_OVER_S, message="each Sentinel knows a replica")
    assert all([await redises.is_ready("redis", index) for index in range(2)])
    assert all([await redises.is_ready("redis-sentinel", index) for index in range(3)])
    with pytest.raises(AuthenticationError):
        redises.redis(0, password=None).ping()
    sentinels = ",".join(f"{address}:{redises.sentinel_port}" for address in ADDRESSES)
    emitter = open_redis(f"redis+sentinel://:{PASSWORD}@{sentinels}/storecast")
    async with closing(emitter):
        await emitter.xadd("events", {b"n": 1}, minid="0")
        await eventually(lambda: redises.redis(1).xlen("events") == 1, message="the replica has it")

        await redises.processes["redis-0"].kill()
        await eventually(
            lambda: redises.watched().get("ip") == ADDRESSES[1], timeout_s=FAIL_OVER_S, message="fail-over"
        )
        await redises.processes["redis-sentinel-2"].kill()
        redises.processes.start_what_is_down()
        await redises.settled(primary=1)
        await emitter.xadd("events", {b"n": 2}, minid="0")
        await eventually(lambda: redises.redis(0).xlen("events") == 2, message="the new replica has both")


async def test_after_a_restart_of_all_there_is_one_primary_with_the_data(redises: Redises) -> None:
    """Whatever was the case before, all come back as one primary with a replica, and what was written is there."""
    await redises.settled(primary=0)
    redises.redis(0).xadd("events", {"n": 1})
    redises.redis(0).wait(1, 2000)
    for name in ("redis-sentinel-0", "redis-sentinel-1", "redis-sentinel-2", "redis-0", "redis-1"):
        assert await redises.processes[name].stop() == 0
    redises.processes.start_what_is_down()
    await redises.settled(primary=0)
    assert redises.redis(0).xlen("events") == redises.redis(1).xlen("events") == 1
