"""The command line as people and scripts use it, each command a process of its own, on a running `storecast up`."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import httpx
import pytest

from deploy.cli import app
from deploy.local import tether
from deploy.local.gateway import INSTALL_HINT
from tests.processes import ROOT, environment
from tests.tools import require
from tests.up import START_S, STORECAST, Up
from tests.waiting import eventually

ENDS_WITHIN_S = 60
CLI_PAGE = ROOT / "docs/cli.md"


class Ended(NamedTuple):
    """What a command said before it ended."""

    code: int
    stdout: str
    stderr: str


Here = Callable[..., Ended]


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """One system for all: what a test creates has names of its own."""
    require("nginx", INSTALL_HINT)
    folder = tmp_path_factory.mktemp("up") / "data"
    # The past is all there, also after what is seeded.
    async with Up.started(folder, "--replicas", "2", STORECAST_HISTORY_EVENTS="20000") as up:
        yield up


def settings(up: Up, **more: str) -> dict[str, str]:
    return environment({"STORECAST_URL": up.origin, **more})


async def started(up: Up, *command: str, **more: Any) -> Process:
    """Start a command; one whose test is killed ends as well."""
    guarded = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command)
    return await asyncio.create_subprocess_exec(
        *guarded, **{"stdout": PIPE, "stderr": PIPE, "env": settings(up), "start_new_session": True, **more}
    )


async def run(up: Up, *options: str, **variables: str) -> Ended:
    """Run `storecast` with options until it ends."""
    return await ended(await started(up, str(STORECAST), *options, env=settings(up, **variables)))


async def bash(up: Up, script: str) -> Ended:
    """Run a script that finds `storecast` on its PATH."""
    path = f"{STORECAST.parent}:{os.environ['PATH']}"
    return await ended(await started(up, "bash", "-euo", "pipefail", "-c", script, env=settings(up, PATH=path)))


async def ended(process: Process) -> Ended:
    async with asyncio.timeout(ENDS_WITHIN_S):
        stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, stdout.decode(), stderr.decode())


class Tailing:
    """A `storecast tail --json` that runs, and what it says."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.notes: list[str] = []

    @classmethod
    @asynccontextmanager
    async def running(cls, up: Up, *options: str) -> AsyncIterator["Tailing"]:
        """Run one; it listens."""
        tailing = cls(await started(up, str(STORECAST), "tail", "--json", *options, limit=2**20))
        reading = [asyncio.create_task(tailing._hear()), asyncio.create_task(tailing._note())]
        try:
            await tailing.listens()
            yield tailing
        finally:
            with suppress(ProcessLookupError):
                tailing.process.kill()
            await asyncio.gather(*reading)
            await tailing.process.wait()

    @property
    def names(self) -> list[str]:
        """The products that were heard."""
        return [event["payload"]["name"] for event in self.events]

    async def listens(self, times: int = 1) -> None:
        """Wait until it has begun to listen so many times."""
        await eventually(
            lambda: sum("listening" in note for note in self.notes) >= times, message="it listens", timeout_s=START_S
        )

    async def _hear(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))

    async def _note(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.notes.append(line.decode())


@pytest.fixture
def here(up: Up, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """The command line in this very process, which is quick, on the system of this file."""
    for name in [name for name in os.environ if name.startswith("STORECAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STORECAST_URL", up.origin)

    def run(*options: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["storecast", *options])
        with pytest.raises(SystemExit) as end:
            app.main()
        return Ended(int(end.value.code or 0), *capfd.readouterr())

    return run


def test_create_is_for_people_and_for_programs(here: Here, up: Up) -> None:
    """The same product, in lines or as one object; piped, there is no colour in it."""
    options = ["--price", "12.5", "--currency", "EUR", "--category", "kitchen", "--tag", "a", "--tag", "b"]
    shown = here("create", "Moka pot", *options, "--stock", "3", "--description", "For three cups.")
    assert (shown.code, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Moka pot  12.50 EUR\n  id ")
    assert "\x1b" not in shown.stdout

    told = here("create", "Moka pot", *options, "--json")
    assert told.stdout.count("\n") == 1
    product = json.loads(told.stdout)
    assert product == httpx.get(f"{up.origin}/products/{product['id']}", trust_env=False, timeout=30).json()
    assert (product["name"], product["price"], product["currency"]) == ("Moka pot", "12.50", "EUR")
    assert (product["category"], product["tags"], product["stock"]) == ("kitchen", ["a", "b"], None)


NOWHERE = ("--origin", "http://127.0.0.1:1")
SILENCE = r"storecast: nothing answers at http://127\.0\.0\.1:1: .*"


@pytest.mark.parametrize(
    ("options", "code", "lines"),
    [
        (("create", "x" * 201, "--price", "12,50"), 1, [r"storecast: name: .*200.*", r"storecast: price: .*"]),
        (("create", "x"), 2, [r"Error: Missing option '--price'\.?"]),
        (("create", "x", "--price", "1", "--stock", "many"), 2, [r"Error: .*--stock.*"]),
        (("create", "x", "--price", "1", "--origin", "localhost:80"), 2, [r"Error: .*--origin.*origin alone.*"]),
        (("create", "x", "--price", "1", "--token", "hunter2 hunter2"), 2, [r"Error: .*--token.*one word.*"]),
        (("create", "x", "--price", "1", "--token", "hunter2"), 1, [r"storecast: Authorization: .*token.*"]),
        (("create", "x", "--price", "1", *NOWHERE), 3, [SILENCE]),
        (("seed", "--category", "x"), 2, [r"Error: .*--category.*books, kitchen.*"]),
        (("seed", "--count", "1", *NOWHERE), 3, [SILENCE, r"storecast: 0 of 1 products created.*"]),
        (("tail", *NOWHERE), 3, [SILENCE]),
        (("tail", "--topic", "Nonsense"), 1, [r"storecast: topics.*: .*"]),
        (("tail", "--after", "yesterday"), 1, [r"storecast: after: .*EPOCH:SEQ.*"]),
        (("check-config", "mongodb"), 2, [r"Error: .*'api', 'emitter'.*"]),
        (("check-config", "api"), 2, [r"storecast: api: STORECAST_EMITTER_SECRET: Field required"]),
    ],
)
def test_what_is_wrong_is_said_by_line_and_exit_code(
    here: Here, options: tuple[str, ...], code: int, lines: list[str]
) -> None:
    """Which field, and what about it, on standard error; never a traceback, never a token."""
    said = here(*options)
    assert said.code == code
    assert "Traceback" not in said.stderr
    assert "hunter2" not in said.stderr
    errors = [line for line in said.stderr.splitlines() if line.startswith(("storecast: ", "Error: "))]
    assert len(errors) == len(lines), said.stderr
    for error, line in zip(errors, lines, strict=True):
        assert re.fullmatch(line, error)


@pytest.mark.parametrize("command", ["up", "create", "seed", "tail", "check-config", "token"])
def test_help_has_an_example(here: Here, command: str) -> None:
    """Of each command, as plain text."""
    said = here(command, "--help")
    assert (said.code, said.stderr) == (0, "")
    assert re.search(rf"(?m)^( +|example: )storecast {command}\b", said.stdout)
    assert "\x1b" not in said.stdout


def test_the_help_of_all_has_examples_and_the_exit_codes(here: Here) -> None:
    """Each example is of a command that there is; the codes are those of the page about them."""
    examples, codes = here("--help").stdout.partition("Examples:")[2].split("Exit codes")
    commands = re.findall(r"(?m)^ +storecast ([a-z-]+)", examples)
    assert commands == ["up", "seed", "tail"]
    documented = re.findall(r"(?m)^\| (\d+) \| ", CLI_PAGE.read_text())
    assert re.findall(r"(?m)^ +(\d+)  ", codes) == documented


async def test_every_seeded_product_is_heard_once(up: Up) -> None:
    """Ten thousand, while a tail listens: by their ids, those that were created are those that were heard."""
    async with Tailing.running(up, "--topic", "category:books", "--topic", "category:garden") as tailing:
        seeded = await run(up, "seed", "--count", "10000", "--category", "books", "--category", "garden", "--seed", "7")
        assert seeded.code == 0
        assert re.fullmatch(r"10,000 products created in \d+\.\d s; the same again: --seed 7\n", seeded.stdout)
        assert seeded.stderr == ""
        await eventually(lambda: len(tailing.events) >= 10_000, message="all are heard")
        seqs = [event["meta"]["seq"] for event in tailing.events]
    assert seqs == sorted(set(seqs))
    heard = Counter(event["payload"]["id"] for event in tailing.events)
    assert set(heard.values()) == {1}
    for event in (tailing.events[0], tailing.events[-1]):
        assert (await up.http.get(f"/products/{event['payload']['id']}")).json() == event["payload"]
    assert len(heard) == 10_000


async def test_tail_goes_on_when_the_gateway_or_the_emitter_dies(up: Up) -> None:
    """Its connection is cut, its emitter forgets everything: each product is heard, once and in order."""
    async with Tailing.running(up) as tailing:
        expected: list[str] = []
        for times, killed in enumerate((None, "gateway", "emitter-1"), 1):
            if killed:
                before = up.pids()[killed]
                os.kill(before, signal.SIGKILL)
                await eventually(
                    lambda killed=killed, before=before: up.pids().get(killed, before) != before,  # type: ignore[misc]
                    message=f"{killed} is back",
                )
                await created(up, f"while {killed} comes back")
                expected.append(f"while {killed} comes back")
            await tailing.listens(times)
            expected.append(f"after {killed}")
            await created(up, expected[-1])
            await eventually(lambda: tailing.names[-1:] == expected[-1:], message="it is heard", timeout_s=START_S)
        assert tailing.names == expected
        assert not [note for note in tailing.notes if "missed" in note]


async def created(up: Up, name: str) -> None:
    """Create a product, whatever is restarting."""

    async def answered() -> bool:
        try:
            return (await up.create(name)).is_success
        except httpx.TransportError:
            return False

    await eventually(answered, message="a create is answered", timeout_s=START_S)


async def test_the_last_offset_is_where_to_go_on(up: Up) -> None:
    """It is said at Ctrl-C, which is a good end; what was created while nobody listened comes first."""
    await created(up, "before")
    async with Tailing.running(up, "--after", "0") as tailing:
        await eventually(lambda: "before" in tailing.names, message="the past is heard")
        tailing.process.send_signal(signal.SIGINT)
        assert await tailing.process.wait() == 0
        offset = tailing.events[-1]["offset"]
        await eventually(lambda: tailing.notes[-1] == f"storecast: go on with --after {offset}\n", message="it is said")

    await created(up, "while nobody listened")
    async with Tailing.running(up, "--after", offset) as tailing:
        await eventually(lambda: tailing.names == ["while nobody listened"], message="it is heard")


async def test_a_reader_that_has_enough_ends_it(up: Up) -> None:
    """At once, and not with the next event; quietly, with 0, whatever the command."""
    await created(up, "to be read")
    for command in ("storecast tail --after 0 --json | head -n 1", "storecast create 'to be read' --price 1 | true"):
        said = await bash(up, command)
        assert said.code == 0, command
        assert [line for line in said.stderr.splitlines() if "listening" not in line] == []
        assert said.stdout.count("\n") <= 1


async def test_a_terminal_has_colours_and_a_bar(up: Up) -> None:
    """Where somebody looks."""
    shown = await on_terminal(up, "seed", "--count", "10")
    assert "\x1b[" in shown
    assert "━" in shown


async def on_terminal(up: Up, *options: str, **variables: str) -> str:
    """Run a command on a terminal, and return what stands there."""
    ours, its = pty.openpty()
    env = settings(up, TERM="xterm", **variables)
    process = await started(up, str(STORECAST), *options, stdout=its, stderr=its, env=env)
    os.close(its)
    shown = b""
    with suppress(OSError):  # the end of a terminal
        while part := await asyncio.to_thread(os.read, ours, 65_536):
            shown += part
    os.close(ours)
    assert await process.wait() == 0
    return shown.decode()


COMPLETIONS: Mapping[str, set[str]] = {
    "storecast ch": {"check-config"},
    "storecast tail --a": {"--after"},
}


async def test_bash_completes(up: Up) -> None:
    """Commands and options, by the script that is printed."""
    script = 'eval "$(storecast --show-completion)"\n'
    for line in COMPLETIONS:
        words = line.split(" ")
        script += f"COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}\n"
        script += '_storecast_completion storecast; echo "${COMPREPLY[*]}"\n'
    said = await bash(up, script)
    assert (said.code, said.stderr) == (0, "")
    offered = [set(line.split()) for line in said.stdout.splitlines()]
    assert offered == list(COMPLETIONS.values())


@pytest.mark.parametrize(
    ("shell", "question"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "storecast ch"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "storecast ch", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
        ("powershell", {"_TYPER_COMPLETE_ARGS": "storecast ch", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "ch"}),
    ],
)
def test_other_shells_are_answered(
    here: Here, monkeypatch: pytest.MonkeyPatch, shell: str, question: dict[str, str]
) -> None:
    """Their scripts are of this program, and ask what it answers."""
    monkeypatch.setenv("_STORECAST_COMPLETE", f"source_{shell}")
    script = here().stdout
    assert re.search(r"\bstorecast\b", script)
    assert f"complete_{shell}" in script
    for name, value in question.items():
        assert name in script
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_STORECAST_COMPLETE", f"complete_{shell}")
    answer = here().stdout
    assert "check-config" in answer
    assert "create" not in answer


def test_each_command_has_its_row(here: Here) -> None:
    """In the page about it, in the order of `--help`; that its examples work is shown with all other pages'."""
    page = CLI_PAGE.read_text()
    commands = re.findall(r"(?m)^  ([a-z-]+)  ", here("--help").stdout.partition("Commands:")[2])
    assert re.findall(r"^\| `storecast ([a-z-]+)` \|", page, re.MULTILINE) == commands
