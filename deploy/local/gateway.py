"""nginx as the gateway: one origin for the product API and for the sockets."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.services import address_of
from shared.errors import StartupError

NGINX_FILES = Path(__file__).parents[1] / "nginx"
TEMPLATE = NGINX_FILES / "storecast.conf.template"

INSTALL_HINT = "install nginx (`apt-get install nginx-light`)"

_VARIABLE = re.compile(r"\$\{(STORECAST_[A-Z_]+)\}")
_SERVERS = re.compile(r"((server|resolver) [A-Za-z0-9.:_=\- ]+; ?)+")
# What a value may look like: one that could close its directive would write its own configuration.
_ALLOWED = {
    "STORECAST_LISTEN": re.compile(r"([0-9.]+:)?[0-9]{1,5}"),
    "STORECAST_SOCKET_PATH": re.compile(r"(/[A-Za-z0-9_-]+)+"),
    "STORECAST_API_SERVERS": _SERVERS,
    "STORECAST_EMITTER_SERVERS": _SERVERS,
}


def render(template: str, values: Mapping[str, str]) -> str:
    """Put the values in place of `${STORECAST_...}`, as the nginx image does with its environment.

    Raises:
        ValueError: a variable has no value, or one that is not of its form. The message names the variable.

    """

    def value_of(variable: re.Match[str]) -> str:
        name = variable[1]
        value = values.get(name, "")
        if not _ALLOWED[name].fullmatch(value):
            raise ValueError(f"{name} has a value that cannot stand in nginx's configuration: {value!r}")
        return value

    return _VARIABLE.sub(value_of, template)


def servers(ports: Sequence[int]) -> str:
    """Return the servers of an upstream block.

    One that refused a connection is passed over for a second: the time in which a child that died is back.
    """
    return " ".join(f"server {HOST}:{port} max_fails=1 fail_timeout=1s;" for port in ports)


def find_nginx() -> str | None:
    """Return the nginx of this machine, also where the user's PATH leaves out the system's programs."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/local/sbin:/usr/sbin")


def nginx(program: str, folder: Path, port: int, values: Mapping[str, str]) -> Program:
    """Write nginx's configuration to `folder` and describe nginx as a child."""
    try:
        configuration = render(TEMPLATE.read_text(), {"STORECAST_LISTEN": f"{HOST}:{port}", **values})
    except ValueError as error:
        raise StartupError(str(error)) from None
    (folder / "storecast.conf").write_text(configuration)
    shutil.copyfile(NGINX_FILES / "local.conf", folder / "nginx.conf")
    return Program(
        name="gateway",
        address=address_of(port),
        # All paths in the files are relative to -p. -e: without it nginx opens the system's error log first.
        command=(program, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"),
        stop_seconds=5.0,
    )
