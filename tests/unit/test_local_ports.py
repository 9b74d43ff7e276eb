import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.ports import HOST, free_ports, remembered_port, require_free
from shared.errors import StartupError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that someone listens on."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_refused_with_the_way_out(taken: int) -> None:
    """A port that someone listens on is named, together with the option that chooses another."""
    with pytest.raises(StartupError, match=rf"^port {taken} is in use; choose another with --port$"):
        require_free(taken)


def test_a_port_that_was_just_left_is_free() -> None:
    """Connections that a former gateway closed do not keep its port from the next one."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        client = socket.create_connection((HOST, port))
        accepted, _ = server.accept()
        accepted.close()  # first: its end of the connection lingers
        client.close()
    require_free(port)


def test_free_ports_differ_and_lie_below_the_kernels_own() -> None:
    """No outgoing connection can be given the port of a child that is being started again."""
    lowest_of_the_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    chosen = free_ports(50)
    assert len(set(chosen)) == 50
    assert max(chosen) < lowest_of_the_kernel


def test_ports_to_avoid_are_avoided() -> None:
    """The port that was asked for is never given to a child."""
    *avoided, left = ports._CANDIDATES  # noqa: SLF001  # those of this process of the run
    assert free_ports(1, avoid=frozenset(avoided)) == [left]


def test_a_remembered_port_is_kept(tmp_path: Path) -> None:
    """The database keeps its address from run to run."""
    file = tmp_path / "port"
    port = remembered_port(file)
    assert file.read_text() == f"{port}\n"
    assert remembered_port(file) == port


@pytest.mark.parametrize("text", ["", "nonsense", "1", "70000", "-5"])
def test_what_is_no_port_of_ours_is_replaced(tmp_path: Path, text: str) -> None:
    """A damaged file does not stop the start."""
    file = tmp_path / "port"
    file.write_text(text)
    port = remembered_port(file)
    assert file.read_text() == f"{port}\n"


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    """Another program on the database's port moves the database, it does not stop the start."""
    file = tmp_path / "port"
    port = remembered_port(file)
    with socket.create_server((HOST, port)):
        assert remembered_port(file) != port
