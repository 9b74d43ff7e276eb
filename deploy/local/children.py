"""All the children of one run: started in order, watched, stopped in the reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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

    async def start(self, programs: Sequence[Program]) -> None:
        """Start children that are later stopped together, and keep them up."""
        children = [Child(program, self._data, self._report) for program in programs]
        self._keepers |= await self._stack.enter_async_context(_supervised(children))
        self._children |= {child.program.name: child for child in children}

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
        """Say in one line what is wrong with a child, with the last thing it said itself; or with what is no child."""
        return self._children[name].failure(problem) if name in self._children else f"{name} {problem}"


@asynccontextmanager
async def _supervised(children: Sequence[Child]) -> AsyncIterator[set[asyncio.Task[None]]]:
    keepers: set[asyncio.Task[None]] = set()
    try:
        for child in children:
            await child.start()
            keepers.add(asyncio.create_task(child.keep_up(), name=f"keep up {child.program.name}"))
        yield keepers
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in children))
