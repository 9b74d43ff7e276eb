"""Programs that seem to be installed."""

from pathlib import Path

import pytest


def put_on_path(program: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a program in front of all others."""
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program
