"""A process that is asked to end while it starts."""

import signal
import subprocess
import sys

import pytest

from tests.processes import ROOT, environment


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python without settings for a service."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment({}), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("service", ["api_service", "ws_service"])
def test_signals_are_handled_before_the_imports_that_take_long(service: str) -> None:
    """A container's first process hears only what it has a handler for, and would be killed in the end."""
    lines = python("-X", "importtime", "-m", service).stderr.splitlines()
    imported = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    assert imported.index("shared.serving.early_stop") < imported.index("pydantic_core")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_has_not_begun_ends_in_order(number: signal.Signals) -> None:
    """It has nothing to put away, and no failure to tell of."""
    ended = python("-c", f"import shared.serving.early_stop, signal; signal.raise_signal({number})")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
