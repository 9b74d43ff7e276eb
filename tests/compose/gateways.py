"""The gateways of compose variants as processes of this machine: real proxies, with the containers' files and values.

What differs is where things are: files, ports, and the addresses of the services.
"""

import dataclasses
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from deploy.local import haproxy, nginx, traefik
from deploy.local.child import Program
from deploy.local.ports import HOST, free_ports
from deploy.local.routes import Routes
from tests.compose.docker_api import Container, DockerApi
from tests.compose.variants import Config
from tests.processes import Processes
from tests.tools import missing

PLAIN, TLS = 8080, 8443
"""The ports of a gateway's container."""

_VARIABLE = re.compile(r"\$\{(STORECAST_[A-Z_0-9]+)\}")
_LISTEN = re.compile(rf"^(?:0\.0\.0\.0:|:)?({PLAIN}|{TLS})\b")
_SERVER_PORT = re.compile(r"traefik\.http\.services\.[a-z]+\.loadbalancer\.server\.port")
_STOP_S = 5.0


def program(read: Config, folder: Path, ports: Mapping[int, int], routes: Routes) -> Program:
    """Return the gateway of a variant.

    Args:
        read: The variant.
        folder: Where its files go.
        ports: What is to be listened on for each port of the container.
        routes: Where the services are; Traefik is told by Docker.
    """
    service = read["services"]["gateway"]
    environment = _environment(read, service, ports)
    command = _COMMANDS[service["image"].partition(":")[0]](service, environment, folder, routes)
    return Program("gateway", f"{HOST}:{ports.get(TLS) or ports[PLAIN]}", command, environment, _STOP_S)


def docker_api(read: Config, port: int, socket: Path) -> Program:
    """Return what stands between Traefik and Docker, with Docker's socket."""
    service = read["services"]["docker-api"]
    [mount] = [each for each in service["volumes"] if each["target"].endswith(".cfg")]
    given = service["environment"]
    assert given["STORECAST_DOCKER_SOCKET"] == "unix@/var/run/docker.sock"
    environment = {
        "STORECAST_LISTEN": given["STORECAST_LISTEN"].replace("0.0.0.0:2375", f"{HOST}:{port}"),
        "STORECAST_DOCKER_SOCKET": f"unix@{socket}",
    }
    executable = haproxy.find() or missing(haproxy.INSTALL_HINT)
    return Program("docker-api", f"{HOST}:{port}", (executable, "-db", "-f", mount["source"]), environment, _STOP_S)


@asynccontextmanager
async def docker(
    read: Config, folder: Path, gateway: Program, containers: list[Container]
) -> AsyncIterator[tuple[DockerApi, str, Processes]]:
    """Run a Traefik, an imitation of Docker, and what stands between; give the imitation and that one's address."""
    [port] = free_ports(1)
    api, socket = DockerApi(containers), folder / "docker.sock"
    guard = docker_api(read, port, socket)
    told = {name: value.replace("docker-api:2375", guard.address) for name, value in gateway.environment.items()}
    programs = [guard, dataclasses.replace(gateway, environment=told)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(api.running(socket))
        processes = stack.enter_context(Processes(programs, folder))
        processes.start_what_is_down()
        yield api, guard.address, processes


def container(read: Config, service: str, number: int, address: str, port: int) -> Container:
    """Return a container of a service that has the label `traefik.enable`; the label with its port says another one."""
    labels = {
        name: str(port) if _SERVER_PORT.fullmatch(name) else value
        for name, value in read["services"][service]["labels"].items()
    }
    project = read["name"]
    own = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": str(number),
    }
    # Others than the gateway's have addresses that it cannot reach.
    networks = {read["networks"][name]["name"]: "192.0.2.1" for name in read["services"][service]["networks"]}
    networks[f"{project}_services"] = address
    return Container(f"{project}-{service}-{number}", {**labels, **own}, networks)


def _environment(read: Config, service: Mapping[str, Any], ports: Mapping[int, int]) -> dict[str, str]:
    """Return a container's environment, with the files and the ports of this machine."""
    places = {mount["target"]: mount["source"] for mount in service.get("volumes", ())}
    for secret in service.get("secrets", ()):
        places[f"/run/secrets/{secret['source']}"] = read["secrets"][secret["source"]]["file"]
    return {
        name: _LISTEN.sub(lambda found: f"{HOST}:{ports[int(found[1])]}", places.get(value, value))
        for name, value in service["environment"].items()
    }


def _nginx(service: Mapping[str, Any], environment: dict[str, str], folder: Path, routes: Routes) -> tuple[str, ...]:
    executable = nginx.find() or missing(nginx.INSTALL_HINT)
    # The names are for Docker's DNS. Debian 12's nginx has the directive `http2` as a word behind `listen`.
    own = nginx.values(routes)
    environment |= {name: own[name] for name in environment if re.match("STORECAST_(API|EMITTER)_", name)}
    if environment.pop("STORECAST_HTTP2", ""):
        environment |= {"STORECAST_LISTEN": f"{environment['STORECAST_LISTEN']} http2", "STORECAST_HTTP2": ""}
    (folder / "conf.d").mkdir()
    for mount in service["volumes"]:
        source, target = Path(mount["source"]), Path(mount["target"])
        if target.suffix == ".template":
            filled_in = _VARIABLE.sub(lambda found: environment[found[1]], source.read_text())
            (folder / "conf.d" / target.stem).write_text(filled_in)
        elif source.is_dir():  # the main file is wrapped round them below
            shutil.copytree(source, folder / target.name)
    wrapper = (nginx.FILES / "local.conf").read_text().replace("include upstreams.conf;", "include conf.d/*.conf;")
    (folder / "nginx.conf").write_text(wrapper.replace("include storecast.conf;", ""))
    return (executable, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf")


def _haproxy(service: Mapping[str, Any], environment: dict[str, str], _: Path, routes: Routes) -> tuple[str, ...]:
    executable = haproxy.find() or missing(haproxy.INSTALL_HINT)
    # A line of the configuration is one server, or a template of several that have a name together.
    environment["STORECAST_API_SERVERS"] = f"server api {HOST}:{routes.api_ports[0]}"
    environment["STORECAST_EMITTER_SERVERS"] = f"server emitter {HOST}:{routes.emitter_ports[0]}"
    [mount] = service["volumes"]
    return (executable, "-db", "-f", mount["source"])


def _traefik(*_: object) -> tuple[str, ...]:
    return (traefik.find() or missing(traefik.INSTALL_HINT),)


_COMMANDS: dict[str, Callable[[Mapping[str, Any], dict[str, str], Path, Routes], tuple[str, ...]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "traefik": _traefik,
}
