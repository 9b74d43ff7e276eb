"""Letters between emitters: what is asked, what is answered, and by whom."""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

import orjson
import structlog

from shared.serving.http.errors import HttpError, Unavailable
from ws_service.cluster.letters import Letter, LetterStream
from ws_service.cluster.node import Node
from ws_service.cluster.nodes import Nodes
from ws_service.cluster.peers import Answers, Handler
from ws_service.cluster.redis import RedisUnavailable

MOST_OPEN = 1_000
_AT_ONCE = 16
_WRITE_WITHIN_S = 1.0

_ANSWER, _REFUSAL = "answer", "refusal"
_FROM, _NUMBER = "from", "number"

_log = structlog.get_logger(__name__)


class _Question:
    """A letter of ours, and the nodes whose answers are waited for, with their names."""

    def __init__(self, asked: dict[str, str]) -> None:
        self.waited_for = asked
        self.answers: list[Any] = []
        # Why one of them has not done it.
        self.refused: str | None = None
        self.done = asyncio.Event()

    def answer(self, node: str, body: Any) -> None:
        # The first one counts: a letter may be read twice when Redis' clock goes back.
        if self.waited_for.pop(node, None) is None:
            return
        self.answers.append(body)
        self._end_if_answered()

    def refuse(self, node: str, reason: str) -> None:
        if self.waited_for.pop(node, None) is None:
            return
        self.refused = reason
        self._end_if_answered()

    def _end_if_answered(self) -> None:
        if not self.waited_for:
            self.done.set()


class Correspondence:
    """This emitter's part in it.

    Order: a letter is acted upon when it is read, by the sender too; the stream's order is that of all emitters.
    """

    def __init__(self, node: Node, nodes: Nodes, stream: LetterStream) -> None:
        self._node = node
        self._nodes = nodes
        self._stream = stream
        # The loop itself keeps no hold of its tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Handler] = {}
        self._numbers = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        # Each call that is under way has a connection of its own.
        self._writing = asyncio.Semaphore(_AT_ONCE)

    def on(self, kind: str, handler: Handler) -> None:
        """Have letters of a kind dealt with here."""
        self._handlers[kind] = handler

    async def ask(self, letter: Letter, timeout_s: float, name: str | None = None) -> Answers:
        """Send a letter to all, and wait for the answers of those that are there, or of that name; raise HttpError."""
        if len(self._questions) >= MOST_OPEN:
            raise Unavailable("too many messages wait for their answers")
        number = next(self._numbers)
        # This node in any case: it may have been up for less than a heartbeat.
        asked = {beat.id: beat.node for beat in self._nodes.present()} | {self._node.id: self._node.name}
        if name is not None:
            asked = {node: known for node, known in asked.items() if known == name}
            if not asked:
                return Answers([], [])
        question = self._questions[number] = _Question(asked)
        try:
            await self._send(letter._replace(head={**letter.head, _FROM: self._node.id, _NUMBER: number}))
            async with asyncio.timeout(timeout_s):
                await question.done.wait()
        except TimeoutError:
            _log.warning("emitters have not answered", kind=letter.kind, nodes=sorted(question.waited_for.values()))
        finally:
            del self._questions[number]
        if question.refused:
            raise Unavailable(f"{question.refused}; other emitters may have done it")
        if self._node.id in question.waited_for:
            raise Unavailable("Redis has taken the message and does not give it out: it may be sent later, or not")
        return Answers(question.answers, sorted(question.waited_for.values()))

    def hear(self, letter: Letter) -> None:
        """Take the next letter; raise what its handler raises that is no HttpError."""
        if letter.kind in {_ANSWER, _REFUSAL}:
            self._take(letter)
        elif handler := self._handlers.get(letter.kind):
            asker, number = str(letter.head[_FROM]), int(letter.head[_NUMBER])
            try:
                answer = handler(letter)
            except HttpError as error:
                answer = _refusal(error)
            task = asyncio.create_task(self._answer(asker, number, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self, letter: Letter) -> None:
        if question := self._questions.get(letter.head[_NUMBER]):
            reply = question.answer if letter.kind == _ANSWER else question.refuse
            reply(letter.head[_FROM], orjson.loads(letter.payload))

    async def _answer(self, asker: str, number: int, answer: Awaitable[Any]) -> None:
        head = {_FROM: self._node.id, _NUMBER: number}
        try:
            letter = Letter(_ANSWER, head, orjson.dumps(await answer), asker)
        except HttpError as error:
            letter = Letter(_REFUSAL, head, orjson.dumps(error.detail), asker)
        except Exception:  # noqa: BLE001  # logged; who asked hears that this node has not answered
            _log.exception("a letter cannot be answered")
            return
        if asker == self._node.id:
            self._take(letter)
            return
        try:
            await self._send(letter)
        except HttpError as error:
            _log.warning("an answer is lost", error=error.detail)

    async def _send(self, letter: Letter) -> None:
        try:
            async with asyncio.timeout(_WRITE_WITHIN_S), self._writing:
                await self._stream.write(letter)
        except TimeoutError:
            raise RedisUnavailable from None


async def _refusal(error: HttpError) -> Any:
    raise error
