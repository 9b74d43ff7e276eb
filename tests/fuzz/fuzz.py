"""Schemathesis against both services, running for real: what their OpenAPI documents promise is held against them.

https://schemathesis.readthedocs.io
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.processes import environment
from tests.system import System
from tests.tokens import JWT_SECRET, token

SETTINGS: Mapping[str, Any] = {"auth": "jwt", "jwt_secret": JWT_SECRET}
"""Of the system: tokens are asked for, so that calls without one are cases, too."""

_SCOPES = "products:write messages:send operate"
# These end what is being tested, or have no end themselves.
_LEFT_OUT = ("/drain", "/rebalance", "/operate/drain", "/operate/rebalance", "/websocket-service/sse")
_CONFIG = Path(__file__).parent / "schemathesis.toml"
_GENERATED = re.compile(r"^\s*(\d+) generated", re.MULTILINE)
_FOLLOWED = re.compile(r"^\s*API Links:\s+(\d+) covered", re.MULTILINE)


class Target(NamedTuple):
    """A service, and with what it lets a caller in."""

    name: str
    url: str
    secret: str


class Round(NamedTuple):
    """What came of some cases: everything that Schemathesis said, where it found something.

    `links` says how many links of the document its sequences of calls have followed.
    """

    service: str
    cases: int
    ok: bool
    said: str
    links: int = 0


def targets(system: System) -> tuple[Target, ...]:
    """Return one replica of the product API, and the emitter."""
    api = next(iter(system.api_urls.values()))
    return Target("api", api, token("fuzzer", scope=_SCOPES)), Target("emitter", system.emitter_url, system.secret)


async def fuzz(target: Target, cases: int, examples: int, seed: int, directory: Path) -> AsyncIterator[Round]:
    """Send at least so many cases, in rounds of up to `examples` for each operation and phase.

    Schemathesis leaves files of its own in the directory.
    """
    sent = 0
    while sent < cases:
        yield (done := await _round(target, examples, seed, directory))
        if not (done.ok and done.cases):
            return
        sent, seed = sent + done.cases, seed + 1


async def _round(target: Target, examples: int, seed: int, directory: Path) -> Round:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG)),
        *("run", f"{target.url}/openapi.json", "--header", f"Authorization: Bearer {target.secret}"),
        *("--checks", "all", "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"),
        *("--max-redirects", "0", "--request-timeout", "30", "--generation-database", "none", "--no-color"),
        *("--suppress-health-check", "all", "--warnings", "off"),
        *(argument for path in _LEFT_OUT for argument in ("--exclude-path", path)),
        cwd=directory,
        env=environment({}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    said = out.decode(errors="replace")
    generated = _GENERATED.search(said)
    followed = _FOLLOWED.search(said)
    return Round(
        target.name,
        int(generated[1]) if generated else 0,
        process.returncode == 0,
        said,
        int(followed[1]) if followed else 0,
    )
