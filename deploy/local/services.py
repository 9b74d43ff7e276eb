"""The two services as children: how each is told, by its environment, where the others are."""

import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.settings import LocalSettings
from shared.settings import PREFIX


def address_of(port: int) -> str:
    """Return the base URL of a service at `port`."""
    return f"http://{HOST}:{port}"


class Addresses(NamedTuple):
    """Where an API replica finds the others; `public_ws_url` is empty where the page's origin serves the sockets."""

    mongo_url: str
    emitter_url: str
    public_ws_url: str


def api_replica(number: int, port: int, settings: LocalSettings, others: Addresses) -> Program:
    """Describe one replica of the product API."""
    own = {name.upper(): value for name, value in others._asdict().items()}
    return _service("api_service", f"api-{number}", port, settings, own)


def emitter(number: int, port: int, settings: LocalSettings, *, page_ports: Sequence[int]) -> Program:
    """Describe one emitter; `page_ports` are those of pages that have another origin than the emitter."""
    origins = [f"http://{host}:{port}" for port in page_ports for host in (HOST, "localhost")]
    return _service("ws_service", f"emitter-{number}", port, settings, {"ALLOWED_ORIGINS": json.dumps(origins)})


def _service(module: str, name: str, port: int, settings: LocalSettings, own: dict[str, str]) -> Program:
    variables = {
        "HOST": HOST,
        "PORT": str(port),
        "INSTANCE": name,
        "EMITTER_SECRET": settings.emitter_secret.get_secret_value(),
        "SOCKET_PATH": settings.socket_path,
        "LOG_FORMAT": settings.log_format,
        **own,
    }
    return Program(
        name=name,
        address=address_of(port),
        command=(sys.executable, "-m", module),
        environment={f"{PREFIX}{variable}": value for variable, value in variables.items()},
    )
