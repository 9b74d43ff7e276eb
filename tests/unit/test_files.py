import subprocess
import sys

from tests.processes import ROOT

_PROGRAM = """
import resource
from shared.serving.files import allow_connections
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (50, min(hard, 5_000)))
allow_connections({most})
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def _run(most: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _PROGRAM.format(most=most)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def test_as_many_files_may_be_open_as_connections() -> None:
    """Whatever the usual soft limit is: the limit that is reached first is the one that has an answer."""
    assert _run(1_000).stdout == "1100\n"
    assert _run(10).stdout == "110\n"


def test_where_so_many_are_not_permitted_it_is_said() -> None:
    """With the setting and the limit that do not fit, in one line; as many as there may be are used."""
    *said, soft = _run(1_000_000).stdout.splitlines()

    assert len(said) == 1
    assert "STORECAST_MAX_CONNECTIONS" in said[0]
    assert "nofile" in said[0]
    assert int(soft) <= 5_000
