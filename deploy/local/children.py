"""All the children of one run: started in order, watched, stopped in the reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

from deploy.local.child import Child, Program
from deploy.local.data_dir import DataDir

_Result = TypeVar("_Result")


class Children:
    """The children that were started; leaving the context stops them, the last one first."""

    def __init__(self, data: DataDir, report: Callable[[str], None]) -> None:
        self._data = data
        self._report = report
        self._children: dict[str, Child] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start(self, program: Program) -> None:
        """Start a child and keep it up."""
        child = Child(program, self._data, self._report)
        self._keepers.add(await self._stack.enter_async_context(_supervised(child)))
        self._children[program.name] = child

    async def beside(self, step: Coroutine[None, None, _Result]) -> _Result:
        """Await a step while the children run; what makes it impossible to keep one of them up ends the step."""
        task = asyncio.create_task(step)
        try:
            done, _ = await asyncio.wait({task, *self._keepers}, return_when=asyncio.FIRST_COMPLETED)
            for keeper in done & self._keepers:
                keeper.result()
            return task.result()
        finally:
            task.cancel()

    def settle(self) -> None:
        """Take every death from now on for an accident, whatever its exit code."""
        for child in self._children.values():
            child.settled = True

    def failure(self, name: str, problem: str) -> str:
        """Say in one line what is wrong with a child, with the last thing it said itself."""
        return self._children[name].failure(problem)


@asynccontextmanager
async def _supervised(child: Child) -> AsyncIterator[asyncio.Task[None]]:
    await child.start()
    keeper = asyncio.create_task(child.keep_up(), name=f"keep up {child.program.name}")
    try:
        yield keeper
    finally:
        keeper.cancel()
        await asyncio.wait({keeper})
        await child.stop()
