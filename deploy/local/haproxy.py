"""HAProxy as the gateway."""

import re
from collections.abc import Mapping
from pathlib import Path

from deploy.local import template
from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.routes import Routes
from deploy.local.servers import find_program
from deploy.local.services import address_of, emitter_name

TEMPLATE = Path(__file__).parents[1] / "haproxy" / "haproxy.cfg"
INSTALL_HINT = "install HAProxy (`apt-get install haproxy`)"

# "${NAME[*]}" is a whole line, whose words are HAProxy's to take apart; "${NAME}" is one word, which keeps its quotes.
_VARIABLE = re.compile(r"(?:\"(?=\$\{\w+\[))?\$\{(STORECAST_[A-Z_]+)(?:\[\*\]\}\"|\})")
_SERVERS = re.compile(r"((server|server-template) [A-Za-z0-9.:_ \-]+\n? *)+")
# TLS is for servers, where HAProxy finds these in its environment.
_NO_TLS = dict.fromkeys(
    ("STORECAST_CERTIFICATE", "STORECAST_HSTS", "STORECAST_ORIGIN", "STORECAST_REDIRECT_LISTEN"), ""
)
_FORMS = {
    **dict.fromkeys(_NO_TLS, re.compile("")),
    "STORECAST_LISTEN": template.LISTEN,
    "STORECAST_SOCKETS_LISTEN": template.LISTEN,
    "STORECAST_SOCKET_PATH": template.SOCKET_PATH,
    "STORECAST_API_SERVERS": _SERVERS,
    "STORECAST_EMITTER_SERVERS": _SERVERS,
}


def find() -> str | None:
    """Return the HAProxy of this machine, also where the user's PATH leaves out the system's programs."""
    return find_program("haproxy")


def render(values: Mapping[str, str]) -> str:
    """Return the configuration with the values in it, as HAProxy reads it with its environment."""
    return template.render(TEMPLATE.read_text(), _VARIABLE, _FORMS, {**_NO_TLS, **values})


def program(executable: str, folder: Path, routes: Routes) -> Program:
    """Write HAProxy's configuration to `folder` and describe HAProxy as a child."""
    configuration = folder / "haproxy.cfg"
    configuration.write_text(render(values(routes)))
    return Program(
        name="gateway",
        address=address_of(routes.port),
        command=(executable, "-db", "-f", str(configuration)),
        stop_seconds=5.0,
    )


def values(routes: Routes) -> dict[str, str]:
    """Return what stands in the template for a system on this machine."""
    api = {f"api-{number}": port for number, port in enumerate(routes.api_ports, 1)}
    emitters = {emitter_name(number): port for number, port in enumerate(routes.emitter_ports, 1)}
    return {
        "STORECAST_LISTEN": f"{HOST}:{routes.port}",
        "STORECAST_SOCKETS_LISTEN": f"{HOST}:{routes.sockets_port or routes.port}",
        "STORECAST_SOCKET_PATH": routes.socket_path,
        "STORECAST_API_SERVERS": _servers(api),
        "STORECAST_EMITTER_SERVERS": _servers(emitters),
    }


def _servers(ports: Mapping[str, int]) -> str:
    return "\n  ".join(f"server {name} {HOST}:{port}" for name, port in ports.items())
