"""What `storecast up` runs and where: decided before anything is started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local import gateway, mongod, ports, services
from deploy.local.child import Program
from deploy.local.data_dir import DataDir
from deploy.local.settings import LocalSettings
from shared.errors import StartupError

GatewayChoice = Literal["auto", "nginx", "none"]


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    port: int
    replicas: int
    mongo_url: str | None
    data_dir: Path
    gateway: GatewayChoice
    mongo_members: int = 1


@dataclass(frozen=True)
class System:
    """Every program, in the order of its start, and the addresses that people use.

    Without a gateway the first replica has the port that was asked for, and the page is told where the sockets are.
    """

    mongo_url: str
    mongods: list[Program]
    emitters: list[Program]
    replicas: list[Program]
    gateway: Program | None
    socket_path: str

    @property
    def gateways(self) -> list[Program]:
        """The gateway, as the part of the start order that it may be missing from."""
        return [self.gateway] if self.gateway else []

    @property
    def front(self) -> Program:
        """Who answers at the port that was asked for."""
        return self.gateway or self.replicas[0]

    @property
    def sockets(self) -> Program:
        """Who answers a client of the sockets."""
        return self.gateway or self.emitters[0]


def plan(options: Options, settings: LocalSettings, data: DataDir) -> System:
    """Find the programs, choose the ports and write nginx's files; nothing is started yet.

    Raises:
        StartupError: a program is missing, the port is in use, or the data directory is that of another system.

    """
    ports.require_free(options.port)
    nginx = _find_nginx(options.gateway)
    mongods = _mongods(options, data)
    mongo_url = options.mongo_url or mongod.url([program.address for program in mongods])
    taken = frozenset([options.port, *(int(program.address.partition(":")[2]) for program in mongods)])
    emitter_port, *api_ports = ports.free_ports(1 + options.replicas, avoid=taken)
    if nginx is None:
        api_ports[0] = options.port
    upstreams = {
        "STORECAST_SOCKET_PATH": settings.socket_path,
        "STORECAST_API_SERVERS": gateway.servers(api_ports),
        "STORECAST_EMITTER_SERVERS": gateway.servers([emitter_port]),
    }
    emitter_url = services.address_of(emitter_port)
    others = services.Addresses(mongo_url, emitter_url, public_ws_url="" if nginx else emitter_url)
    return System(
        mongo_url=mongo_url,
        mongods=mongods,
        emitters=[services.emitter(1, emitter_port, settings, page_ports=[] if nginx else api_ports)],
        replicas=[services.api_replica(number, port, settings, others) for number, port in enumerate(api_ports, 1)],
        gateway=gateway.nginx(nginx, data.gateway, options.port, upstreams) if nginx else None,
        socket_path=settings.socket_path,
    )


def _find_nginx(choice: GatewayChoice) -> str | None:
    if choice == "none":
        return None
    program = gateway.find_nginx()
    if program is None and choice == "nginx":
        raise StartupError(f"there is no nginx on this machine; {gateway.INSTALL_HINT}, or use --gateway none")
    return program


def _mongods(options: Options, data: DataDir) -> list[Program]:
    if options.mongo_url is not None:
        if options.mongo_members > 1:
            raise StartupError("--mongo-members is for an own MongoDB; leave it out, or leave out --mongo-url")
        return []
    names = mongod.names(options.mongo_members)
    _require_data_of(names, data)
    program = mongod.find_mongod()
    programs = []
    taken = {options.port}
    for name in names:
        port = ports.remembered_port(data.port(name), avoid=frozenset(taken))
        taken.add(port)
        programs.append(mongod.mongod(program, data.member(name), port, name))
    return programs


def _require_data_of(names: Sequence[str], data: DataDir) -> None:
    # Members are never added to a set or taken away: which of them has everything is not for a start to guess.
    kept = data.members()
    if not set(kept) <= set(names):
        members = 1 if kept == mongod.names(1) else 3
        raise StartupError(
            f"{data.root} holds the data of a MongoDB of {members} member{'s'[: members - 1]}; use --mongo-members "
            f"{members}, or name another folder with --data-dir"
        )
