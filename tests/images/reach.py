"""Who reaches the stores: MongoDB and Redis have no password in the compose files, their networks keep others away."""

import asyncio
import sys

from tests.images.compose import Composed, Container
from tests.scale.figure import Figure, none

STORES = {"mongo": (27017, {"api"}), "redis": (6379, {"api", "emitter"})}
"""The port of each, and the services that need it."""
_SERVICES = ("api", "emitter", "gateway")
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"


async def judge(project: Composed) -> Figure:
    """Try to connect from each service to each store that there is."""
    services = {name: (await project.containers(name))[0] for name in _SERVICES}
    wrong = 0
    for name, (port, users) in STORES.items():
        for store in await project.containers(name):
            for service, container in services.items():
                wrong += await _connects(container, store.address, port) != (service in users)
    return none("services that reach a store without need, or not", wrong)


async def _connects(container: Container, address: str, port: int) -> bool:
    process = await asyncio.create_subprocess_exec(
        *("nsenter", "--net", f"--target={container.pid}", sys.executable, "-I", "-S", "-c", _CONNECT),
        *(address, str(port)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0
