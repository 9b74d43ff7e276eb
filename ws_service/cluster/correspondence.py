"""Letters between emitters: what is asked, what is answered, and by whom."""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

import structlog

from ws_service.cluster.letters import Letter, LetterStream
from ws_service.cluster.nodes import Nodes
from ws_service.cluster.peers import Answers, Handler
from ws_service.cluster.redis import RedisUnavailable
from ws_service.errors import Unavailable

MOST_OPEN = 1_000
_AT_ONCE = 16

_ANSWER = "answer"
_FROM, _NUMBER, _TO, _BODY = "from", "number", "to", "body"

_log = structlog.get_logger(__name__)


class _Question:
    """A letter of ours, and the nodes whose answers are waited for."""

    def __init__(self, asked: dict[str, str]) -> None:
        self.waited_for = asked
        self.answers: list[Any] = []
        self.done = asyncio.Event()

    def answer(self, node: str, body: Any) -> None:
        self.answers.append(body)
        self.waited_for.pop(node, None)
        if not self.waited_for:
            self.done.set()


class Correspondence:
    """This emitter's part in it.

    Order: a letter is acted upon when it is read, by the sender too; the stream's order is that of all emitters.
    """

    def __init__(self, own_id: str, nodes: Nodes, stream: LetterStream) -> None:
        self._own_id = own_id
        self._nodes = nodes
        self._stream = stream
        # The loop itself keeps no hold of its tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Handler] = {}
        self._numbers = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        self._writing = asyncio.Semaphore(_AT_ONCE)

    def on(self, kind: str, handler: Handler) -> None:
        """Have letters of a kind dealt with here."""
        self._handlers[kind] = handler

    async def ask(self, letter: Letter, timeout_s: float) -> Answers:
        """Send a letter to all, and wait for the answers of those that are there; raise Unavailable."""
        if len(self._questions) >= MOST_OPEN:
            raise Unavailable("too many messages wait for their answers")
        number = next(self._numbers)
        # Of this node in any case: it may have been up for less than a heartbeat.
        asked = {self._own_id: "this one", **{beat.id: beat.node for beat in self._nodes.present()}}
        question = self._questions[number] = _Question(asked)
        try:
            async with asyncio.timeout(timeout_s):
                await self._write(letter._replace(head={**letter.head, _FROM: self._own_id, _NUMBER: number}))
                await question.done.wait()
        except TimeoutError:
            _log.warning("emitters have not answered", kind=letter.kind, nodes=sorted(question.waited_for.values()))
        finally:
            del self._questions[number]
        return Answers(question.answers, sorted(question.waited_for.values()))

    def hear(self, letter: Letter) -> None:
        """Take the next letter."""
        if letter.kind == _ANSWER:
            if letter.head[_TO] == self._own_id and (question := self._questions.get(letter.head[_NUMBER])):
                question.answer(letter.head[_FROM], letter.head[_BODY])
        elif handler := self._handlers.get(letter.kind):
            try:
                answer = handler(letter)
            except Unavailable as error:
                _log.warning("a letter cannot be dealt with", kind=letter.kind, error=error.detail)
                return
            task = asyncio.create_task(self._answer(letter, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, letter: Letter, answer: Awaitable[Any]) -> None:
        try:
            body = await answer
        except Exception:  # noqa: BLE001  # logged; who asked hears that this node has not answered
            _log.exception("a letter cannot be answered", kind=letter.kind)
            return
        asker, number = letter.head[_FROM], letter.head[_NUMBER]
        if asker == self._own_id:
            if question := self._questions.get(number):
                question.answer(self._own_id, body)
            return
        try:
            await self._write(Letter(_ANSWER, {_FROM: self._own_id, _TO: asker, _NUMBER: number, _BODY: body}))
        except RedisUnavailable as error:
            _log.warning("an answer is lost", kind=letter.kind, error=str(error.__cause__))

    async def _write(self, letter: Letter) -> None:
        # Each call that is under way has a connection of its own.
        async with self._writing:
            await self._stream.write(letter)
