"""The gateway: one origin for the product API and for the sockets, by nginx, HAProxy or Traefik."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from deploy.local import haproxy, nginx, traefik
from deploy.local.child import Program
from deploy.local.routes import Routes
from shared.errors import StartupError

Choice = Literal["auto", "nginx", "haproxy", "traefik", "none"]
Configure = Callable[[Path, Routes], Program]
"""Writes what the proxy needs to a folder, and describes it as a child."""

INSTALL_HINT = nginx.INSTALL_HINT


class _Proxy(NamedTuple):
    find: Callable[[], str | None]
    program: Callable[[str, Path, Routes], Program]
    install_hint: str


PROXIES = {
    "nginx": _Proxy(nginx.find, nginx.program, nginx.INSTALL_HINT),
    "haproxy": _Proxy(haproxy.find, haproxy.program, haproxy.INSTALL_HINT),
    "traefik": _Proxy(traefik.find, traefik.program, traefik.INSTALL_HINT),
}


def choose(choice: Choice) -> Configure | None:
    """Return the gateway that was asked for, None for none; raise StartupError if it is not on this machine."""
    if choice == "none":
        return None
    proxy = PROXIES["nginx" if choice == "auto" else choice]
    executable = proxy.find()
    if executable is not None:
        return partial(proxy.program, executable)
    if choice == "auto":
        return None
    raise StartupError(f"there is no {choice} on this machine; {proxy.install_hint}, or use --gateway none")
