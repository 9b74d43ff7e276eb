"""A page's commands, run from the first to the last as a reader would: in one shell, and beside it what goes on."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from deploy.local import tether
from deploy.local.ports import free_ports
from tests.documents import stand_in
from tests.documents.markdown import Block
from tests.documents.output import begun, differences, said
from tests.processes import ROOT, environment
from tests.tools import PATH, require
from tests.waiting import eventually

GOES_ON = "&"
"""Stands after `sh` at a block that is for a terminal of its own."""

_WITHIN_S = 60
_TAIL = 2_000
_ANY_PRODUCT = "...Moka pot..."
"""What a program says of which the page shows nothing."""
_ENDINGS = {"js": ".mjs", "python": ".py"}
_NOT_THE_READERS = {".git", ".storecast", "node_modules"}
_AT_ONCE = re.compile(r"(?:\.\.\.\n)?(?:(?!\.\.\.\n)[^\n]+\n)+")
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")

# Commands come one after the other, each a file; none of them reads the rest.
_SHELL = 'while read -r step; do . "$step" < /dev/null > "$step.out" 2> "$step.err"; echo; done'


class Place(NamedTuple):
    """Where pages find the running system: what stands in them, and what it is here; and the shell's variables."""

    here: Mapping[str, str]
    variables: Mapping[str, str]


class Running(NamedTuple):
    """A program that goes on; `shown` is what it is to print, and empty for one of which nothing is asked."""

    name: str
    process: Process
    log: Path
    shown: str

    async def says(self, shown: str, *, timeout_s: float = _WITHIN_S) -> None:
        """Wait until it has printed this."""
        try:
            await eventually(lambda: begun(shown, self.log.read_text()), timeout_s=timeout_s, message="")
        except AssertionError:
            printed = self.log.read_text()[-_TAIL:]
            raise AssertionError(f"{self.name} has not said\n{shown}\nbut\n{printed}") from None


class Session:
    """One page's session in a folder of its own, which looks like the repository's."""

    def __init__(self, folder: Path, place: Place, shell: Process, known: Mapping[str, str]) -> None:
        self.folder = folder / "storecast"
        self.record = folder / "record"
        self.programs: list[Running] = []
        self._steps = folder
        self._place = place
        self._shell = shell
        self._known = known
        self._printed = ""

    @classmethod
    @asynccontextmanager
    async def of(cls, page: list[Block], folder: Path, place: Place) -> AsyncIterator["Session"]:
        """Begin one; what it has started ends with it."""
        (folder / "storecast").mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in _NOT_THE_READERS:
                (folder / "storecast" / entry.name).symlink_to(entry)
        (folder / "record").touch()
        variables = {**place.variables, **_stand_ins(folder), "STAND_IN_RECORD": str(folder / "record")}
        known = {**_free_addresses(page, place.here), **place.here}
        shell = await _start(("bash", "-euo", "pipefail", "-c", _SHELL), folder / "storecast", variables)
        session = cls(folder, Place(place.here, variables), shell, known)
        try:
            yield session
        finally:
            for process in (shell, *(program.process for program in session.programs)):
                await _end(process)

    def here(self, text: str) -> str:
        """Return a page's text with the addresses of this machine."""
        for there, here in self._known.items():
            text = re.sub(rf"(?<![\w.]){re.escape(there)}(?!\d)", here, text)
        return text

    def save(self, block: Block) -> None:
        """Save a block as the file that it names."""
        file = self.folder / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.here(block.text))

    async def run(self, block: Block) -> None:
        """Run a block's commands."""
        step = self._steps / f"{block.line}.sh"
        step.write_text(self.here(block.text))
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{step}\n".encode())
        ended = await asyncio.wait_for(self._shell.stdout.readline(), _WITHIN_S)
        printed, errors = (step.with_suffix(f".sh.{name}").read_text() for name in ("out", "err"))
        assert ended, f"{block} failed:\n{block.text}{printed}{errors}"
        self._printed = printed

    def prints(self, block: Block) -> None:
        """Hold what the commands before have printed to what the page shows."""
        shown = self.here(block.text)
        assert said(shown, self._printed), f"{block} shows\n{shown}\nbut what is printed is\n{self._printed}"

    def answers(self, block: Block) -> None:
        """Hold what the commands before were answered to the example in the page."""
        found = differences(json.loads(block.text), json.loads(self._printed))
        assert not found, f"{block}: {', '.join(found)} of\n{self._printed}"

    async def begin_commands(self, block: Block, shown: str) -> None:
        """Run a block in a terminal of its own; it has printed what is shown up to the first gap."""
        program = await self._begin(str(block), ("bash", "-euc", self.here(block.text)), shown)
        if at_once := _AT_ONCE.match(program.shown):
            await program.says(at_once[0])

    async def begin_program(self, block: Block, text: str, shown: str) -> None:
        """Run the program of which a block is the first part, where it finds the tests' packages."""
        folder = self._steps / "programs"
        folder.mkdir(exist_ok=True)
        if not (folder / "node_modules").exists():
            (folder / "node_modules").symlink_to(ROOT / "tests/node_modules")
        program = folder / f"{block.line}{_ENDINGS[block.language]}"
        program.write_text(text)
        runs = require("node", "install Node.js") if block.language == "js" else sys.executable
        await self._begin(str(block), (runs, str(program)), shown or _ANY_PRODUCT)

    async def _begin(self, name: str, command: tuple[str, ...], shown: str) -> Running:
        log = self._steps / f"{len(self.programs)}.log"
        with log.open("wb") as out:
            process = await _start(command, self.folder, self._place.variables, stdout=out, stderr=STDOUT)
        program = Running(name, process, log, self.here(shown))
        self.programs.append(program)
        return program


async def _start(command: tuple[str, ...], folder: Path, variables: Mapping[str, str], **streams: Any) -> Process:
    return await asyncio.create_subprocess_exec(
        # A run of the tests that is itself killed leaves nothing behind.
        *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command),
        **{"stdin": PIPE, "stdout": PIPE, **streams},
        cwd=folder,
        env=environment(variables),
        start_new_session=True,
    )


async def _end(process: Process) -> None:
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        return
    finally:
        await process.communicate()


def _stand_ins(folder: Path) -> dict[str, str]:
    """Return variables with which the shell finds what stands in for programs before the programs themselves."""
    programs = folder / "bin"
    programs.mkdir()
    for name in stand_in.PROGRAMS:
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{stand_in.__file__}" {name} "$@"\n')
        (programs / name).chmod(0o755)
    ours = Path(sys.executable).parent
    real = f"{ours}{os.pathsep}{PATH}"
    (programs / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
    return {
        "CURL_HOME": str(programs),
        "PATH": f"{programs}{os.pathsep}{real}",
        "STAND_IN_MODULES": str(ROOT / "tests/node_modules"),
        "STAND_IN_PATH": real,
        "PYTHONUNBUFFERED": "1",
    }


def _free_addresses(page: list[Block], known: Mapping[str, str]) -> dict[str, str]:
    """Return a free port for each one of this machine that a page uses and that is nobody's yet."""
    named = {found for block in page for found in _ADDRESS.findall(block.text)}
    unknown = sorted(port for port in named if f"127.0.0.1:{port}" not in known)
    return dict(zip(unknown, map(str, free_ports(len(unknown))), strict=True))
