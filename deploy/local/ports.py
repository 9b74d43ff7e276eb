"""Free ports on 127.0.0.1.

They are taken from below the range that the kernel gives to outgoing connections. A child's port is free for a moment
while the child is started again; from the kernel's range, some other connection could get it then, and a client that
keeps trying to reach the port could even be connected to itself.
"""

import errno
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from deploy.local.data_dir import write_atomically
from shared.errors import StartupError

HOST = "127.0.0.1"
_CANDIDATES = range(20_000, 30_000)


def require_free(port: int) -> None:
    """Raise StartupError unless the gateway can be had at `port`."""
    try:
        _bind(port).close()
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise StartupError(f"port {port} {reason}; choose another with --port") from None


def free_ports(count: int, avoid: frozenset[int] = frozenset()) -> list[int]:
    """Choose `count` different ports that are free now and are none of `avoid`."""
    chosen: list[int] = []
    with ExitStack() as held:
        for port in secrets.SystemRandom().sample(_CANDIDATES, len(_CANDIDATES)):
            if len(chosen) == count:
                break
            if port not in avoid and _try_to_hold(port, held):
                chosen.append(port)
    return chosen


def remembered_port(path: Path, avoid: frozenset[int] = frozenset()) -> int:
    """Return the port that stands in the file if it is still free, else choose one and write it there."""
    text = path.read_text().strip() if path.exists() else ""
    with ExitStack() as held:
        if text.isdecimal() and int(text) in _CANDIDATES and int(text) not in avoid and _try_to_hold(int(text), held):
            return int(text)
    [port] = free_ports(1, avoid)
    write_atomically(path, f"{port}\n")
    return port


def _try_to_hold(port: int, held: ExitStack) -> bool:
    try:
        held.enter_context(_bind(port))
    except OSError:
        return False
    return True


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        # As the servers do: connections that a former server closed do not keep the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound
