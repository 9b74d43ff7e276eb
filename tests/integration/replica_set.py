"""Three real mongods, of which a test holds the replication back, stops the primary, and chooses the next one."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import bson
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.mongod import REPLICA_SET, find_mongod, names
from deploy.local.mongod import mongod as mongod_program
from deploy.local.ports import free_ports
from deploy.local.readiness import wait_until
from deploy.local.replica_set import step_to_primary
from shared.errors import StartupError
from tests.processes import Process, Processes
from tests.tools import missing
from tests.waiting import eventually

WHOLE_TIMEOUT_S = 60
_ANSWER_MS = 20_000
# No election but ours; and who is elected does not wait for what the stopped one has.
_SETTINGS = {"electionTimeoutMillis": 60_000, "heartbeatIntervalMillis": 250, "catchUpTimeoutMillis": 0}


class ReplicaSet:
    """A real MongoDB of three members, `mongod-1` to `mongod-3`."""

    def __init__(self, processes: Processes, folders: dict[str, Path]) -> None:
        self._folders = folders
        self._processes = processes
        self._addresses = {name: processes[name].program.address for name in folders}

    @classmethod
    @asynccontextmanager
    async def running(cls, directory: Path) -> AsyncIterator[Self]:
        """Run one with its data in `directory`, which is empty; all of its members take part."""
        folders = {name: directory / name for name in names(3)}
        programs = []
        try:
            for (name, folder), port in zip(folders.items(), free_ports(3), strict=True):
                folder.mkdir()
                program = mongod_program(find_mongod(), folder, port, name)
                command = (*program.command, "--setParameter", "enableTestCommands=1")
                programs.append(replace(program, command=command))
        except StartupError as error:
            missing(str(error))
        with Processes(programs, directory) as processes:
            processes.start_what_is_down()
            replica_set = cls(processes, folders)
            await replica_set.whole()
            primary = await replica_set.primary()
            config = (await replica_set.command(primary, "replSetGetConfig"))["config"]
            changed = config | {"version": config["version"] + 1, "settings": config["settings"] | _SETTINGS}
            await replica_set.command(primary, "replSetReconfig", changed)
            try:
                yield replica_set
            finally:
                for name in folders:
                    processes[name].send(signal.SIGCONT)  # a stopped one would not end

    def __getitem__(self, name: str) -> Process:
        return self._processes[name]

    def url(self, database: str) -> str:
        """Return the connection string of one database."""
        return f"mongodb://{','.join(self._addresses.values())}/{database}?replicaSet={REPLICA_SET}"

    async def whole(self) -> None:
        """Wait until every member takes part."""
        deadline = time.monotonic() + WHOLE_TIMEOUT_S
        addresses = list(self._addresses.values())
        absent = await wait_until(lambda: step_to_primary(addresses), deadline, tell=lambda _: None)
        assert absent is None, f"{absent.child} {absent.reason}\n{self[absent.child].tail()}"

    async def primary(self) -> str:
        """Return the name of the member that takes writes."""
        hellos = [(name, await self.command(name, "hello")) for name in self._addresses]
        return next(name for name, hello in hellos if hello["isWritablePrimary"])

    def others(self, name: str) -> list[str]:
        """Return the names of the two other members."""
        return [other for other in self._addresses if other != name]

    async def hold_back(self, name: str, *, on: bool) -> None:
        """Have a member take over nothing of what the primary writes, or go on with it; it still sees and votes."""
        mode = "alwaysOn" if on else "off"
        await self.command(name, "configureFailPoint", "stopReplProducer", mode=mode)

    async def elect(self, name: str) -> None:
        """Make a member the primary."""

        async def elected() -> bool:
            try:
                await self.command(name, "replSetStepUp")
            except PyMongoError:  # the others have not noticed yet that it can take over
                return False
            return bool((await self.command(name, "hello"))["isWritablePrimary"])

        await eventually(elected, message=f"{name} is elected", timeout_s=WHOLE_TIMEOUT_S)

    async def command(self, name: str, *command: Any, **more: Any) -> dict[str, Any]:
        """Run an administrator's command on one member."""
        return await asyncio.to_thread(self._with_client, name, lambda client: client.admin.command(*command, **more))

    async def find(self, name: str, database: str, collection: str, key: Any) -> dict[str, Any] | None:
        """Return a document as one member has it, committed or not."""
        return await asyncio.to_thread(
            self._with_client, name, lambda client: client[database][collection].find_one({"_id": key})
        )

    def rolled_back(self, name: str) -> list[dict[str, Any]]:
        """Return the documents that a member has taken back: MongoDB keeps them in files."""
        files = sorted((self._folders[name] / "rollback").rglob("*.bson"))
        return [dict(document) for file in files for document in bson.decode_all(file.read_bytes(), _OPTIONS)]

    def _with_client(self, name: str, use: Any) -> Any:
        client: MongoClient[dict[str, Any]] = MongoClient(
            self._addresses[name],
            directConnection=True,
            tz_aware=True,
            serverSelectionTimeoutMS=_ANSWER_MS,
            readPreference="secondaryPreferred",
        )
        with client:
            return use(client)


_OPTIONS: Any = bson.CodecOptions(tz_aware=True)
