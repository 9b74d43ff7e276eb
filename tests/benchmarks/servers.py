"""The emitters that are compared, each in a process of its own."""

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from deploy.local import services
from deploy.local.child import Program
from deploy.local.ports import HOST, free_ports
from deploy.local.settings import LocalSettings
from shared.settings import PREFIX
from tests.benchmarks import usage
from tests.processes import Process
from tests.tools import require
from tests.waiting import eventually

SERVER_CORE = 0
PING_INTERVAL_MS = 25_000  # the default of all of them
READY_TIMEOUT_S = 30
PEERS = Path(__file__).parent / "peers"

STORECAST = "Storecast"
NODE = "Node Socket.IO"
STOCK = "python-socketio"
BARE = "bare write()"


class Server(Process):
    """A running server, and what it has used so far."""

    def __init__(self, name: str, program: Program, settings: LocalSettings, directory: Path) -> None:
        super().__init__(program, directory / f"{program.name}.log")
        self.name = name
        self.settings = settings

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.program.address.rpartition(":")[2])

    @property
    def cpu_s(self) -> float:
        """The CPU time that it has used."""
        return usage.cpu_seconds(self.pid)

    @property
    def memory_bytes(self) -> int:
        """The memory that it has now."""
        return usage.memory_bytes(self.pid)

    async def listens(self) -> None:
        """Wait until it takes connections."""

        def reachable() -> bool:
            assert self.running, f"{self.program.name} has ended: {self.tail()}"
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port)):
                return True
            return False

        await eventually(reachable, message=f"{self.program.name} listens", timeout_s=READY_TIMEOUT_S)


def storecast(port: int, settings: LocalSettings) -> Program:
    """Describe Storecast's emitter as it is deployed: its defaults."""
    return services.emitter(1, port, settings, page_ports=[])


def node(port: int, settings: LocalSettings) -> Program:
    """Describe the emitter in Node."""
    command = (require("node", "install Node.js"), str(PEERS / "emitter.mjs"))
    return Program("node", services.address_of(port), command, peer_environment(port, settings))


def stock(port: int, settings: LocalSettings) -> Program:
    """Describe python-socketio on uvicorn."""
    return _python("stock", port, settings)


def bare(port: int, settings: LocalSettings) -> Program:
    """Describe the bare loop."""
    return _python("bare", port, settings)


SERVERS: Mapping[str, Callable[[int, LocalSettings], Program]] = {
    STORECAST: storecast,
    NODE: node,
    STOCK: stock,
    BARE: bare,
}


@contextlib.asynccontextmanager
async def running(name: str, ping_interval_ms: int = PING_INTERVAL_MS) -> AsyncIterator[Server]:
    """Run one of the servers on a core of its own; it takes connections."""
    [port] = free_ports(1)
    settings = LocalSettings()
    program = SERVERS[name](port, settings)
    interval = {variable: str(ping_interval_ms) for variable in ("PING_INTERVAL_MS", f"{PREFIX}PING_INTERVAL_MS")}
    program = replace(program, environment={**program.environment, **interval})
    with tempfile.TemporaryDirectory() as directory:
        async with started(Server(name, program, settings, Path(directory)), core=SERVER_CORE) as server:
            yield server


@contextlib.asynccontextmanager
async def started(server: Server, core: int | None = None) -> AsyncIterator[Server]:
    """Start a server, on one core or on all, and end it with the context."""
    with contextlib.nullcontext() if core is None else usage.on_core(core):
        server.start()
    try:
        await server.listens()
        yield server
    finally:
        if server.running:
            server.send(signal.SIGTERM)
        # In a thread: others may be measured meanwhile.
        await asyncio.to_thread(server.close)


def peer_environment(port: int, settings: LocalSettings) -> dict[str, str]:
    """Return how a peer is told what Storecast's services read from `STORECAST_*`."""
    secret = settings.emitter_secret.get_secret_value()
    return {
        "PORT": str(port),
        "SECRET": secret,
        "SOCKET_PATH": settings.socket_path,
        "PING_INTERVAL_MS": str(PING_INTERVAL_MS),
        "NODE_ENV": "production",
    }


def _python(module: str, port: int, settings: LocalSettings) -> Program:
    command = (sys.executable, "-m", f"tests.benchmarks.peers.{module}")
    return Program(module, services.address_of(port), command, peer_environment(port, settings))
