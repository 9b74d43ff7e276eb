"""The commands and programs in the README, as they stand there, but for the address."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.system import System
from tests.tools import require

_ADDRESS = "http://127.0.0.1:8080"
_SAYS_WITHIN_S = 60


def snippets(language: str) -> list[str]:
    """Return the README's blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


async def run(script: str) -> str:
    """Run a shell script and return what it prints."""
    process = await asyncio.create_subprocess_exec("bash", "-euo", "pipefail", "-c", script, stdout=PIPE)
    printed, _ = await asyncio.wait_for(process.communicate(), _SAYS_WITHIN_S)
    assert process.returncode == 0, script
    return printed.decode()


async def hears(storecast: System, program: list[str], cwd: Path, name: str) -> None:
    """Run a program that listens, create products until it has said the name of one, and end it."""
    process = await asyncio.create_subprocess_exec(*program, stdout=PIPE, cwd=cwd)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_SAYS_WITHIN_S):
            said = asyncio.create_task(process.stdout.readuntil(name.encode()))
            while not said.done():
                # The program says nothing of its own when it is connected.
                await storecast.create(name)
                await asyncio.wait({said}, timeout=0.2)
            await said
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("script", [each for each in snippets("sh") if _ADDRESS in each])
async def test_the_shell_commands_work(storecast: System, script: str) -> None:
    """Whoever copies a command from the README gets an answer that is no error."""
    printed = await run(script.replace(_ADDRESS, storecast.url).replace("curl ", "curl --silent --fail "))
    assert printed.startswith("{")


async def test_the_javascript_listens(storecast: System, tmp_path: Path) -> None:
    """The README's JavaScript hears a product."""
    [snippet] = snippets("js")
    program = tmp_path / "listen.mjs"
    program.write_text(snippet.replace(_ADDRESS, storecast.url))
    (tmp_path / "node_modules").symlink_to(ROOT / "tests" / "node_modules")
    await hears(storecast, [require("node", "install Node.js"), str(program)], tmp_path, "Moka pot")


async def test_the_python_listens(storecast: System, tmp_path: Path) -> None:
    """The README's Python hears a product."""
    [snippet] = snippets("python")
    await hears(storecast, [sys.executable, "-u", "-c", snippet.replace(_ADDRESS, storecast.url)], tmp_path, "Moka pot")


def test_the_make_targets_exist() -> None:
    """Every `make` command of the README and of CONTRIBUTING.md is a target."""
    documents = "".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"^    make ([a-z]+)", documents, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named
    assert named <= targets
