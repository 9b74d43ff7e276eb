"""A process that does what it is asked, one thing at a time; see `commands.py` for its other end."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from deploy.local import tether
from tests.processes import ROOT

_MOST_LINE_BYTES = 1 << 20


class Asked:
    """Such a process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, module: str, environment: Mapping[str, str]) -> AsyncIterator[Self]:
        """Run a module of the benchmark until the context ends."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
            *(sys.executable, "-m", f"tests.benchmarks.{module}"),
            stdin=PIPE,
            stdout=PIPE,
            cwd=ROOT,
            env={**os.environ, **environment},
            limit=_MOST_LINE_BYTES,
        )
        assert process.stdin is not None
        try:
            yield cls(process)
        finally:
            process.stdin.close()
            await process.wait()

    async def __call__(self, what: str, **how: Any) -> dict[str, Any]:
        """Ask and return the answer; raise AssertionError where it could not be done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **how}).encode() + b"\n")
        answer = dict(json.loads(await self._process.stdout.readline() or '{"error": "the process has ended"}'))
        assert "error" not in answer, answer["error"]
        return answer
