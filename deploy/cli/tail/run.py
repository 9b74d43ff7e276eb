"""`storecast tail`: what is heard is told line by line, each event once, until somebody has had enough."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

import orjson
from rich.console import Console
from rich.text import Text

from deploy.cli.errors import Refused
from deploy.cli.tail.line import event_line
from deploy.cli.tail.place import Place
from deploy.cli.tail.reader import until_reader_is_gone
from deploy.cli.tail.sockets import socket_url
from deploy.cli.tail.stream import Message, Stream
from deploy.cli.terminal import console, printable, show, write_line

Tell = Callable[[Message], None]


def tell_programs(message: Message) -> None:
    """Write a message as it came: an object with event, payload, meta and offset."""
    write_line(orjson.dumps(message))


def tell_people() -> Tell:
    """Return what prints a message as one line."""
    target = console()
    return lambda message: show(target, event_line(message))


class Tail:
    """One run.

    Args:
        place: Where it is in the log.
        tell: Is given each event.
        notes: Where a person reads how it goes.
    """

    def __init__(self, place: Place, tell: Tell, notes: Console) -> None:
        self._place = place
        self._tell = tell
        self._notes = notes
        self._is_lost = False

    async def run(self, origin: str, topics: Sequence[str], token: str | None) -> None:
        """Listen until the reader has gone; raise ReaderGone then, CommandError where there is nothing to be heard."""
        url = await socket_url(origin, token)
        stream = Stream(url, topics, token, lambda: self._place.after, self._lost)
        # Whichever ends first ends the other.
        tasks = [asyncio.create_task(step) for step in (self._listen(stream), until_reader_is_gone())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def note(self, text: str, style: str = "dim") -> None:
        """Say something that is no event."""
        show(self._notes, Text(f"storecast: {printable(text)}", style))

    async def _listen(self, stream: Stream) -> None:
        async with aclosing(stream.messages()) as messages:
            async for message in messages:
                self._hear(message)

    def _hear(self, message: Message) -> None:
        event, payload = message["event"], message["payload"]
        if event == "welcome":
            self._begin(payload)
        elif event == "token_expiring":
            self.note(f"the token expires in {payload['expires_in_s']} s", "yellow")
        elif event == "token_expired":
            self._expired(payload["left"])
        elif self._place.hear(message):
            self._tell(message)
            if event == "resync":
                self.note("changes were missed that cannot be told one by one: read the products anew", "yellow")

    def _begin(self, welcome: Message) -> None:
        missed = self._place.begin(welcome)
        if missed is not None:
            self.note(f"{missed}: read the products anew", "yellow")
        self.note(f"listening, after {self._place.after or 'now'}")
        self._is_lost = False

    def _expired(self, left: Sequence[str]) -> None:
        if left:
            raise Refused(f"the token has expired, and {', '.join(left)} takes one")
        self.note("the token has expired", "yellow")

    def _lost(self, reason: str) -> None:
        # Once: how often it tries is nobody's concern.
        if not self._is_lost:
            self.note(f"{reason}; trying again", "yellow")
        self._is_lost = True


def tail(origin: str, topics: Sequence[str], token: str | None, after: str | None, tell: Tell) -> None:
    """Listen until Ctrl-C, which is how it ends."""
    place = Place(after)
    run = Tail(place, tell, console(stderr=True))
    try:
        asyncio.run(run.run(origin, topics, token))
    except KeyboardInterrupt:
        if place.after is not None:
            run.note(f"go on with --after {place.after}")
