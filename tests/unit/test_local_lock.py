import os
from pathlib import Path

import pytest

from deploy.local.lock import locked
from shared.errors import StartupError


def test_the_second_is_told_who_has_the_lock(tmp_path: Path) -> None:
    """The message names the folder, the process that uses it, and the way out."""
    with (
        locked(tmp_path / "lock"),
        pytest.raises(StartupError, match=rf"^{tmp_path} is in use .* process id {os.getpid()}; .* --data-dir$"),
        locked(tmp_path / "lock"),
    ):
        raise AssertionError


def test_the_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    """What a former run left in the file does not matter."""
    (tmp_path / "lock").write_text("4194305\n")
    for _ in range(2):
        with locked(tmp_path / "lock"):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
