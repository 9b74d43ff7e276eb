import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from pymongo import MongoClient

from deploy.local.mongod import REPLICA_SET, find_mongod
from deploy.local.mongod import mongod as mongod_program
from deploy.local.ports import free_ports
from deploy.local.readiness import wait_until
from deploy.local.replica_set import step_to_primary
from shared.errors import StartupError
from tests.processes import Process, Processes
from tests.tools import missing

WRITABLE_TIMEOUT_S = 60


class Mongod:
    """A real MongoDB, a replica set of one member."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._address = process.program.address

    @classmethod
    @asynccontextmanager
    async def running(cls, directory: Path) -> AsyncIterator[Self]:
        """Run one with its data in `directory`, which is empty; it takes writes."""
        [port] = free_ports(1)
        data = directory / "data"
        data.mkdir()
        try:
            program = mongod_program(find_mongod(), data, port)
        except StartupError as error:
            missing(str(error))
        with Processes([program], directory) as processes:
            processes.start_what_is_down()
            mongod = cls(processes[program.name])
            await mongod.writable()
            yield mongod

    def url(self, database: str) -> str:
        """Return the connection string of one database."""
        return f"mongodb://{self._address}/{database}?replicaSet={REPLICA_SET}"

    async def writable(self) -> None:
        """Wait until it takes writes, after a start."""
        deadline = time.monotonic() + WRITABLE_TIMEOUT_S
        absent = await wait_until(lambda: step_to_primary([self._address]), deadline, tell=lambda _: None)
        assert absent is None, f"{absent.child} {absent.reason}\n{self.process.tail()}"

    async def drop(self, database: str) -> None:
        """Remove one database."""
        # In a thread: the driver's asyncio client leaves sockets open when it is closed while it connects.
        await asyncio.to_thread(self._drop, database)

    def _drop(self, database: str) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(self.url(database))
        with client:
            client.drop_database(database)


def unused_database() -> str:
    """Return a database name that no other test has."""
    return f"test_{secrets.token_hex(6)}"
