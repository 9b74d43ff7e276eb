"""The two services as children: how each is told, by its environment, where the others are."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from deploy.local.child import Program
from deploy.local.ports import HOST
from deploy.local.settings import LocalSettings
from shared.settings import PREFIX

_STOP_SECONDS = 10.0


def address_of(port: int) -> str:
    """Return the base URL of a service at `port`."""
    return f"http://{HOST}:{port}"


class Addresses(NamedTuple):
    """Where an API replica finds the others.

    `public_ws_url` is empty where the page's origin serves the sockets, and `redis_url` where there is no Redis.
    """

    mongo_url: str
    emitter_url: str
    public_ws_url: str
    redis_url: str = ""


def api_replica(number: int, port: int, settings: LocalSettings, others: Addresses) -> Program:
    """Describe one replica of the product API."""
    own = {name.upper(): value for name, value in others._asdict().items()}
    own["ALLOWED_ORIGINS"] = json.dumps(settings.allowed_origins)
    own["WRITES_PER_SECOND"] = str(settings.writes_per_second)
    return _service("api_service", f"api-{number}", port, settings, own)


def emitter(
    number: int, port: int, settings: LocalSettings, *, page_ports: Sequence[int], redis_url: str = ""
) -> Program:
    """Describe one emitter.

    Args:
        number: Which of the emitters it is, from 1.
        port: Where it listens.
        settings: What all services share.
        page_ports: The ports of pages that have another origin than the emitter.
        redis_url: What makes it one of many; empty: it is alone.

    """
    origins = [f"http://{host}:{port}" for port in page_ports for host in (HOST, "localhost")]
    own = {
        "ALLOWED_ORIGINS": json.dumps([*origins, *settings.allowed_origins]),
        "CLIENT_TOPICS": json.dumps(settings.client_topics),
        "DRAIN_SECONDS": f"{settings.drain_seconds:g}",
        "HANDSHAKES_PER_SECOND": str(settings.handshakes_per_second),
        "MAX_CONNECTIONS_PER_ADDRESS": str(settings.max_connections_per_address),
        "PUBLIC_WS_URL": address_of(port),
        "REDIS_URL": redis_url,
    }
    program = _service("ws_service", emitter_name(number), port, settings, own)
    return replace(program, stop_seconds=_STOP_SECONDS + (settings.drain_seconds if redis_url else 0))


def emitter_name(number: int) -> str:
    """Return the name of an emitter, which `welcome.node` and the gateway know it by."""
    return f"emitter-{number}"


def _service(module: str, name: str, port: int, settings: LocalSettings, own: dict[str, str]) -> Program:
    variables = {
        "HOST": HOST,
        "PORT": str(port),
        "INSTANCE": name,
        "AUTH": settings.auth,
        "EMITTER_SECRET": settings.emitter_secret.get_secret_value(),
        "JWT_SECRET": "" if settings.jwks_url else settings.jwt_secret.get_secret_value(),
        "SOCKET_PATH": settings.socket_path,
        "LOG_FORMAT": settings.log_format,
        "LOG_LEVEL": settings.log_level,
        **own,
    }
    return Program(
        name=name,
        address=address_of(port),
        command=(sys.executable, "-m", module),
        environment={f"{PREFIX}{variable}": value for variable, value in variables.items()},
        stop_seconds=_STOP_SECONDS,
    )
