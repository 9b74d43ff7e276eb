"""MongoDB as the compose files start it: real mongods with the containers' options and health checks."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern

from deploy.local.child import Program
from deploy.local.mongod import find_mongod
from deploy.local.ports import HOST, free_ports
from shared.errors import StartupError
from tests.compose.variants import Variant, config
from tests.processes import ROOT, Processes
from tests.tools import missing, require
from tests.waiting import eventually

MONGOSH = ROOT / "tests/compose/mongosh.mjs"
MAJORITY = WriteConcern("majority", wtimeout=30_000)
HEALTHY_WITHIN_S = 60


class Members:
    """The members of a variant's replica set, and what Docker knows about them."""

    def __init__(self, variant: Variant, folder: Path) -> None:
        services = config(variant)["services"]
        self.names = [name for name in services if name.startswith("mongo")]
        ports = free_ports(len(self.names))
        self._addresses = {name: f"{HOST}:{port}" for name, port in zip(self.names, ports, strict=True)}
        self._checks = {name: self._at_home(services[name]["healthcheck"]["test"][-1]) for name in self.names}
        self._folder = folder
        self.processes = Processes([self._program(name, services[name]["command"]) for name in self.names], folder)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run them, and ask as Docker does until all are healthy."""
        with self.processes:
            self.processes.start_what_is_down()
            for name in self.names:
                await self.is_healthy(name)
            yield

    async def is_healthy(self, name: str) -> None:
        """Ask whether a member is well until it is."""
        await eventually(
            lambda: self._check(name),
            timeout_s=HEALTHY_WITHIN_S,
            message=f"{name} is healthy\n{self.processes[name].tail()}",
        )

    async def restart(self, name: str, *, lose_data: bool = False) -> None:
        """End a member and start it again."""
        await self.processes[name].stop()
        if lose_data:
            shutil.rmtree(self._data(name))
            self._data(name).mkdir()
        self.processes[name].start()

    def client(self, *names: str, direct: bool = False) -> MongoClient[dict[str, Any]]:
        """Return a client of the replica set, or of one member alone."""
        addresses = [self._addresses[name] for name in names or self.names]
        options: dict[str, Any] = {"directConnection": True} if direct else {"replicaSet": "rs0"}
        return MongoClient(addresses, serverSelectionTimeoutMS=30_000, **options)

    async def _check(self, name: str) -> bool:
        checking = await asyncio.create_subprocess_exec(
            *(require("node", "install Node.js"), str(MONGOSH), self._addresses[name], self._checks[name]),
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await checking.wait() == 0

    def _at_home(self, script: str) -> str:
        """Return a script with the addresses of this machine in the place of those between containers."""
        if len(self.names) == 1:
            assert '"mongo:27017"' in script or "initiate" not in script
            return script.replace("mongo:27017", self._addresses["mongo"])
        if "initiate" in script:
            assert json.dumps(self.names) in script
            assert 'host + ":27017"' in script
        known = script.replace(json.dumps(self.names), json.dumps([*self._addresses.values()]))
        return known.replace('host + ":27017"', "host")

    def _program(self, name: str, command: list[str]) -> Program:
        try:
            mongod = str(find_mongod())
        except StartupError as error:
            missing(str(error))
        self._data(name).mkdir()
        assert "--bind_ip_all" in command
        taken = [option for option in command if option != "--bind_ip_all"]
        port = self._addresses[name].partition(":")[2]
        own = (f"--dbpath={self._data(name)}", f"--port={port}", f"--bind_ip={HOST}", "--nounixsocket")
        small = ("--wiredTigerCacheSizeGB=0.25", "--setParameter=diagnosticDataCollectionEnabled=false")
        # One that ends gives its clients 15 s to turn to the others; here that is waited for.
        quick = "--setParameter=shutdownTimeoutMillisForSignaledShutdown=1000"
        return Program(name, self._addresses[name], (mongod, *taken, *own, *small, quick), stop_seconds=20.0)

    def _data(self, name: str) -> Path:
        return self._folder / f"data-{name}"


def write(client: MongoClient[dict[str, Any]]) -> None:
    """Write something that a majority has."""
    client.test.get_collection("written", write_concern=MAJORITY).insert_one({})


@pytest.mark.parametrize("variant", [(), ("mongo-members",)], ids=["one member", "three members"])
async def test_it_makes_its_set_and_survives_the_restart_of_any_member(variant: Variant, tmp_path: Path) -> None:
    """Health checks alone make the set, once; each member comes back, and what was written stays."""
    members = Members(variant, tmp_path)
    async with members.running():
        with members.client() as client:
            write(client)
            made = client.admin.command("replSetGetConfig")["config"]["settings"]["replicaSetId"]
            for written, name in enumerate(members.names, 1):
                await members.restart(name)
                await members.is_healthy(name)
                write(client)
                assert client.test.written.count_documents({}) == written + 1
            config_of = client.admin.command("replSetGetConfig")["config"]
            assert config_of["settings"]["replicaSetId"] == made
            assert len(config_of["members"]) == len(members.names)


async def test_a_member_that_lost_its_data_is_taken_back(tmp_path: Path) -> None:
    """The one that makes the set makes no second one, which would take the first one's place: it is given the data."""
    members = Members(("mongo-members",), tmp_path)
    async with members.running():
        with members.client("mongo-2", "mongo-3") as client:
            write(client)
            made = client.admin.command("replSetGetConfig")["config"]["settings"]["replicaSetId"]
            await members.restart("mongo", lose_data=True)
            await members.is_healthy("mongo")
            write(client)
            with members.client("mongo", direct=True) as alone:
                assert alone.admin.command("replSetGetConfig")["config"]["settings"]["replicaSetId"] == made
                await eventually(lambda: alone.test.written.count_documents({}) == 2, message="it has both")
