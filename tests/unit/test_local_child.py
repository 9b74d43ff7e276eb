import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from deploy.local.child import Child, Program
from deploy.local.children import Children
from deploy.local.data_dir import DataDir
from shared.errors import StartupError
from tests.waiting import eventually


def program(script: str, name: str = "child", **more: float) -> Program:
    """Describe a child that runs a few lines of Python."""
    return Program(name, "nowhere", (sys.executable, "-c", script), {"STORECAST_GREETING": "hello"}, **more)


SLEEP = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP


class Stage:
    """Children in a folder of their own, and what was reported about them."""

    def __init__(self, folder: Path) -> None:
        self.data = DataDir(folder)
        self.data.make()
        self.reports: list[str] = []

    @asynccontextmanager
    async def children(self) -> AsyncIterator[Children]:
        """Run children in the folder."""
        async with Children(self.data, self.reports.append) as children:
            yield children

    def pid(self, name: str = "child") -> int | None:
        """Return the process id that stands in the folder."""
        with suppress(FileNotFoundError):
            return int(self.data.pid(name).read_text())
        return None

    def said(self, text: str, name: str = "child") -> Callable[[], bool]:
        """Return the question whether a child has printed a text."""
        return lambda: text in self.data.log(name).read_text()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a place for children."""
    return Stage(tmp_path)


async def test_a_child_runs_under_its_own_process_id(stage: Stage) -> None:
    """The process id in `run/` is the program's, in a session of its own, and is gone when it was stopped."""
    async with stage.children() as children:
        await children.start([program("import os; print(os.getpid(), os.getsid(0), flush=True);" + SLEEP)])
        await eventually(stage.said("up"), message="the child runs")
        assert stage.data.log("child").read_text().split()[:2] == [str(stage.pid())] * 2
    assert stage.pid() is None
    assert stage.reports == []


async def test_a_child_that_is_killed_comes_back(stage: Stage) -> None:
    """A death is reported with its cause, and the program runs again under a new process id."""
    async with stage.children() as children:
        await children.start([program(SLEEP)])
        first = stage.pid()
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: stage.pid() not in {first, None}, message="the child is back")
    assert stage.reports == ["child was ended by SIGKILL; started again in 0.1 s"]


async def test_a_child_that_keeps_dying_is_tried_with_growing_pauses(stage: Stage) -> None:
    """No child can keep the machine busy by dying."""
    async with stage.children() as children:
        await children.start([program("raise SystemExit(1)")])
        await eventually(lambda: len(stage.reports) == 3, message="three deaths")
    assert stage.reports == [f"child ended with exit code 1; started again in {pause} s" for pause in (0.1, 0.2, 0.4)]
    assert stage.pid() is None


async def test_a_program_that_cannot_run_as_it_is_set_up_ends_the_start(stage: Stage) -> None:
    """Exit code 2 during the start is final: one line with what the program said last."""
    async with stage.children() as children:
        await children.start([program("import sys; print('STORECAST_X: wrong', file=sys.stderr); sys.exit(2)")])
        with pytest.raises(StartupError, match=r"^child cannot start: STORECAST_X: wrong \(log: .*/log/child.log\)$"):
            await children.beside(asyncio.Event().wait())


async def test_exit_code_2_is_an_accident_once_all_was_ready(stage: Stage) -> None:
    """A replica that finds its port taken for a moment does not end a system that runs."""
    async with stage.children() as children:
        await children.start([program("import time; time.sleep(0.3); raise SystemExit(2)")])
        children.settle()
        await eventually(lambda: stage.reports, message="the death was reported")
    assert stage.reports[0] == "child ended with exit code 2; started again in 0.1 s"


async def test_a_step_beside_the_children_has_a_result(stage: Stage) -> None:
    """Waiting beside the children is waiting for the step alone, as long as they run."""
    async with stage.children() as children:
        await children.start([program(SLEEP)])
        assert await children.beside(asyncio.sleep(0, "done")) == "done"


async def test_children_stop_in_the_reverse_order(stage: Stage) -> None:
    """What was started last depends on what was started first, and goes before it."""
    note = stage.data.root / "note"
    script = (
        "import signal, sys, time\n"
        f"def end(*_):\n    open({str(note)!r}, 'a').write(sys.argv[1]); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    async with stage.children() as children:
        for name in "abc":
            await children.start([Program(name, "nowhere", (sys.executable, "-c", script, name))])
            await eventually(stage.said("up", name), message=f"{name} runs")
    assert note.read_text() == "cba"


async def test_a_child_that_does_not_stop_is_killed(stage: Stage) -> None:
    """Stopping takes no longer than the program's deadline."""
    async with stage.children() as children:
        await children.start([program(DEAF, stop_seconds=0.1)])
        await eventually(stage.said("up"), message="the child runs")
    assert stage.reports == ["child did not stop within 0.1 s; killed"]
    assert stage.pid() is None


async def test_a_child_that_is_down_needs_no_stopping(stage: Stage) -> None:
    """A stop during the pause before a restart finds nothing to end."""
    child = Child(program("raise SystemExit(1)"), stage.data, stage.reports.append)
    await child.start()
    keeper = asyncio.create_task(child.keep_up())
    await eventually(lambda: stage.reports, message="the death was reported")
    keeper.cancel()
    await asyncio.wait({keeper})
    await child.stop()
    assert stage.pid() is None


async def test_the_secret_is_given_only_where_it_is_needed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child inherits the environment without the secret; what its program names is added."""
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", "a secret that the database has no use for")
    monkeypatch.setenv("STORECAST_LOG_LEVEL", "debug")
    async with stage.children() as children:
        await children.start([program("import os; print(sorted(os.environ.items()), flush=True);" + SLEEP)])
        await eventually(stage.said("up"), message="the child runs")
    seen = stage.data.log("child").read_text()
    assert "no use for" not in seen
    assert "('STORECAST_GREETING', 'hello')" in seen
    assert "('STORECAST_LOG_LEVEL', 'debug')" in seen


async def test_a_program_that_is_not_there_says_so(stage: Stage) -> None:
    """The log of a child whose program cannot be run names the program."""
    async with stage.children() as children:
        await children.start([Program("child", "nowhere", ("/no/such/program",))])
        await eventually(
            stage.said("cannot run /no/such/program: No such file or directory"), message="the log names the program"
        )


async def test_what_is_no_child_fails_without_a_log(stage: Stage) -> None:
    """A Redis that was given is none of ours: there is no last line of it to show."""
    async with stage.children() as children:
        assert children.failure("Redis at redis://db", "does not answer") == "Redis at redis://db does not answer"


async def test_children_that_start_together_stop_together(stage: Stage) -> None:
    """Several that take their time, as emitters that drain do, take it at once."""
    note = stage.data.root / "note"
    script = (  # each ends only when all were asked to
        "import pathlib, signal, sys, time\n"
        f"note = pathlib.Path({str(note)!r})\n"
        "def end(*_):\n"
        "    note.open('a').write('x')\n"
        "    while len(note.read_text()) < 3: time.sleep(0.01)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    async with stage.children() as children:
        await children.start([program(script, name) for name in "abc"])
        for name in "abc":
            await eventually(stage.said("up", name), message=f"{name} runs")
    assert stage.reports == []


def test_a_program_is_shown_without_its_environment() -> None:
    """The secret in it cannot reach a log by way of a representation."""
    assert "hello" not in repr(program(SLEEP))
