import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

# Not everybody's PATH has the system's own programs, or those that were put beside this Python.
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", str(Path(sys.executable).parent)))


def require(program: str, fix: str) -> str:
    """Return the path of a program that a test cannot do without; see `missing` for where there is none.

    Args:
        program: Its name.
        fix: What to do about it, such as "install the Debian package nginx-light".
    """
    return shutil.which(program, path=PATH) or missing(f"there is no {program} on this machine: {fix}")


def missing(reason: str) -> NoReturn:
    """Skip the test for want of a tool; where `CI=true`, fail it: a green run there has run everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
