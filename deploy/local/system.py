"""What `storecast up` runs and where: decided before anything is started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import gateway, mongod, ports, redis_server, services
from deploy.local.child import Program
from deploy.local.data_dir import DataDir
from deploy.local.routes import Routes
from deploy.local.settings import LocalSettings
from shared.errors import StartupError


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    port: int
    replicas: int
    mongo_url: str | None
    data_dir: Path
    gateway: gateway.Choice
    mongo_members: int = 1
    emitters: int = 1
    redis_url: str | None = None


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
    redis_url: str = ""  # empty: the only emitter needs none
    redis: Program | None = None
    sockets_url: str = ""  # empty: at the page's origin

    @property
    def redises(self) -> list[Program]:
        """The own Redis, as the part of the start order that it may be missing from."""
        return [self.redis] if self.redis else []

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

    @property
    def sockets_origin(self) -> str:
        """Where a client of the sockets goes."""
        return self.sockets_url or self.sockets.address


def plan(options: Options, settings: LocalSettings, data: DataDir) -> System:
    """Find the programs, choose the ports and write the gateway's files; nothing is started yet.

    Raises:
        StartupError: a program is missing, the port is in use, or the data directory is that of another system.

    """
    ports.require_free(options.port)
    configure = gateway.choose(options.gateway)
    mongods = _mongods(options, data)
    mongo_url = options.mongo_url or mongod.url([program.address for program in mongods])
    taken = frozenset([options.port, *(int(program.address.partition(":")[2]) for program in mongods)])
    redis_port, sockets_port, *free = ports.free_ports(2 + options.emitters + options.replicas, avoid=taken)
    emitter_ports, api_ports = free[: options.emitters], free[options.emitters :]
    if configure is None:
        api_ports[0] = options.port
    redis = _redis(options, data, redis_port)
    redis_url = options.redis_url or (redis_server.url(redis.address) if redis else "")
    emitter_urls = [services.address_of(port) for port in emitter_ports]
    # The page's own origin has the path "/" for itself.
    own_port = sockets_port if configure and settings.socket_path == "/" else None
    sockets_url = services.address_of(own_port) if own_port else "" if configure else emitter_urls[0]
    others = services.Addresses(mongo_url, ",".join(emitter_urls), sockets_url, redis_url)
    # What `assign` gives away is an emitter's own address, also where clients come through a gateway.
    page_ports = api_ports if configure is None else [options.port] if own_port or redis_url else []
    routes = Routes(options.port, settings.socket_path, api_ports, emitter_ports, own_port)
    return System(
        mongo_url=mongo_url,
        mongods=mongods,
        redis_url=redis_url,
        redis=redis,
        emitters=[
            services.emitter(number, port, settings, page_ports=page_ports, redis_url=redis_url)
            for number, port in enumerate(emitter_ports, 1)
        ],
        replicas=[services.api_replica(number, port, settings, others) for number, port in enumerate(api_ports, 1)],
        gateway=configure(data.gateway, routes) if configure else None,
        socket_path=settings.socket_path,
        sockets_url=sockets_url,
    )


def _redis(options: Options, data: DataDir, port: int) -> Program | None:
    if options.redis_url is not None:
        redis_server.require_url(options.redis_url)
        return None
    if options.emitters == 1:
        return None
    return redis_server.redis_server(redis_server.find_redis(), data.database("redis"), port)


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
        programs.append(mongod.mongod(program, data.database(name), port, name))
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
