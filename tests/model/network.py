"""What lies between the processes: a call can be lost, answered in vain, held up, or arrive once more."""

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, NamedTuple

from api_service.errors import DatabaseUnavailable
from api_service.feed.changes import TokenLost
from api_service.feed.event_log import UncertainAppend
from api_service.relay.emitter_client import EmitterError, EmitterUnavailable
from api_service.relay.relay import LogBehind

ANSWERS = (DatabaseUnavailable, UncertainAppend, TokenLost, EmitterError, LogBehind, TimeoutError)
"""The failures that a caller is told of. Everything else is a fault of the model, or one that it has found."""

Serve = Callable[[], Any]


class Call:
    """A request: what it does where it arrives, and what its caller learns when no answer comes back."""

    def __init__(self, name: str, serve: Serve, unanswered: Callable[[], Exception]) -> None:
        self.name = name
        self.serve = serve
        self.unanswered = unanswered

    def __await__(self) -> "Generator[Call, Any, Any]":
        return (yield self)


def query(name: str, serve: Serve) -> Call:
    """Call MongoDB."""
    return Call(name, serve, lambda: DatabaseUnavailable("no answer"))


def ask(name: str, serve: Serve) -> Call:
    """Call the emitter."""
    return Call(name, serve, lambda: EmitterUnavailable("no answer"))


def wait(serve: Serve = lambda: None) -> Call:
    """Wait for the clock or for another part of the same process."""
    return Call("wait", serve, TimeoutError)


class Post(NamedTuple):
    """What was once sent to the emitter."""

    history: bool
    serve: Serve


class Task:
    """A coroutine of the services, driven by hand: it stands still at each call until the machine answers it.

    So every interleaving is possible, a process that is stopped is one that is not driven, and no clock is needed.
    """

    def __init__(self, coroutine: Coroutine[Call, Any, Any]) -> None:
        self._coroutine = coroutine
        self._answer: Serve | None = None
        self.call: Call | None = None
        self.failure: Exception | None = None
        self._go_on(lambda: coroutine.send(None))

    def work(self) -> None:
        """Let one call go well, or hear the answer that was held up."""
        if self.call is not None:
            answer, self._answer = self._answer or _outcome(self.call), None
            self._tell(answer)

    def hold(self) -> None:
        """Let the call do its work now, and keep the answer on its way: much may happen before it is heard."""
        if self.call is not None and self._answer is None:
            self._answer = _outcome(self.call)

    def lose(self) -> None:
        """Have the caller learn nothing about its call."""
        if self.call is not None:
            self._answer = None
            self._tell(_raising(self.call.unanswered()))

    def stop(self) -> None:
        """End the process at once, wherever it is."""
        self._coroutine.close()
        self.call = None

    def _tell(self, answer: Serve) -> None:
        try:
            value = answer()
        except ANSWERS as error:
            failure = error  # the name `error` is gone when the lambda runs
            self._go_on(lambda: self._coroutine.throw(failure))
        else:
            self._go_on(lambda: self._coroutine.send(value))

    def _go_on(self, step: Callable[[], Call]) -> None:
        self.call = None
        try:
            self.call = step()
        except StopIteration:
            pass
        except ANSWERS as error:
            self.failure = error


class Network:
    """The requests that nobody waits for any more, and that may still arrive, at any time and in any order."""

    def __init__(self) -> None:
        self._late: list[Call] = []
        self._posts: deque[Post] = deque(maxlen=12)

    def delay(self, task: Task) -> None:
        """Have a call arrive later, if ever; its caller has given up on it."""
        if task.call is not None:
            self._late.append(task.call)
        task.lose()

    def arrive(self, index: int) -> None:
        """Let one of the late requests do its work."""
        if self._late:
            _ignore_failure(self._late.pop(index % len(self._late)).serve)

    def remember(self, post: Post) -> None:
        """Keep what was sent to the emitter: it may arrive once more, however old it is."""
        self._posts.append(post)

    def repeat(self, back: int) -> None:
        """Let one of the last posts arrive once more."""
        if back < len(self._posts):
            _ignore_failure(self._posts[-1 - back].serve)

    def replicas_stopped(self) -> None:
        """Lose what they have sent to the database, and what was to hand a history over.

        A hand-over of the old epoch that arrives after one of the new epoch takes the emitter back to the old one, and
        clients may recover into it until the relay looks again. Epochs have no order by which it could be refused.
        """
        self._late.clear()
        self._posts = deque((post for post in self._posts if not post.history), self._posts.maxlen)


def _outcome(call: Call) -> Serve:
    try:
        value = call.serve()
    except ANSWERS as error:
        return _raising(error)
    return lambda: value


def _raising(error: Exception) -> Serve:
    def answer() -> None:
        raise error

    return answer


def _ignore_failure(serve: Serve) -> None:
    try:
        serve()
    except ANSWERS:
        return
