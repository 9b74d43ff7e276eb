"""nginx as the gateway."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import template
from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.routes import Routes
from deploy.local.servers import find_program
from deploy.local.services import address_of, emitter_name

FILES = Path(__file__).parents[1] / "nginx"
INCLUDED = FILES / "include"
ONE_ORIGIN = FILES / "storecast.conf.template"
TWO_ORIGINS = FILES / "two-origins.conf.template"
UPSTREAMS = FILES / "upstreams.conf.template"
INSTALL_HINT = "install nginx (`apt-get install nginx-light`)"

_VARIABLE = re.compile(r"\$\{(STORECAST_[A-Z_]+)\}")
_SERVERS = re.compile(r"((server|resolver) [A-Za-z0-9.:_=\- ]+; ?)+")
_FORMS = {
    "STORECAST_LISTEN": template.LISTEN,
    "STORECAST_SOCKETS_LISTEN": template.LISTEN,
    "STORECAST_SOCKET_PATH": template.SOCKET_PATH,
    "STORECAST_API_SERVERS": _SERVERS,
    "STORECAST_EMITTER_SERVERS": _SERVERS,
    "STORECAST_EMITTER_NAMES": re.compile(r"(~[0-9.:\\]+\$ [a-z0-9-]+; ?)*"),
    "STORECAST_EMITTER_ADDRESSES": re.compile(r"([a-z0-9-]+ [0-9.:]+; ?)*"),
}


def find() -> str | None:
    """Return the nginx of this machine, also where the user's PATH leaves out the system's programs."""
    return find_program("nginx")


def render(file: Path, values: Mapping[str, str]) -> str:
    """Return a template with the values in it, as the nginx image makes it from its environment."""
    return template.render(file.read_text(), _VARIABLE, _FORMS, values)


def program(executable: str, folder: Path, routes: Routes) -> Program:
    """Write nginx's configuration to `folder` and describe nginx as a child."""
    servers = ONE_ORIGIN if routes.sockets_port is None else TWO_ORIGINS
    filled_in = values(routes)
    (folder / "upstreams.conf").write_text(render(UPSTREAMS, filled_in))
    (folder / "storecast.conf").write_text(render(servers, filled_in))
    shutil.copytree(INCLUDED, folder / "storecast", dirs_exist_ok=True)
    shutil.copyfile(FILES / "local.conf", folder / "nginx.conf")
    return Program(
        name="gateway",
        address=address_of(routes.port),
        # All paths in the files are relative to -p. -e: without it nginx opens the system's error log first.
        command=(executable, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"),
        stop_seconds=5.0,
    )


def values(routes: Routes) -> dict[str, str]:
    """Return what stands in the template for a system on this machine."""
    addresses = {emitter_name(number): f"{HOST}:{port}" for number, port in enumerate(routes.emitter_ports, 1)}
    if len(addresses) == 1:
        addresses = {}  # there is nothing to choose
    return {
        "STORECAST_LISTEN": f"{HOST}:{routes.port}",
        "STORECAST_SOCKETS_LISTEN": f"{HOST}:{routes.sockets_port or routes.port}",
        "STORECAST_SOCKET_PATH": routes.socket_path,
        "STORECAST_API_SERVERS": _servers(routes.api_ports),
        "STORECAST_EMITTER_SERVERS": _servers(routes.emitter_ports),
        # nginx names every server that it tried; the last one answered.
        "STORECAST_EMITTER_NAMES": " ".join(f"~{re.escape(address)}$ {name};" for name, address in addresses.items()),
        "STORECAST_EMITTER_ADDRESSES": " ".join(f"{name} {address};" for name, address in addresses.items()),
    }


def _servers(ports: Sequence[int]) -> str:
    # Each is tried at any time: what is down refuses at once, and what was down a moment ago may be all that lives now.
    return " ".join(f"server {HOST}:{port} max_fails=0;" for port in ports)
