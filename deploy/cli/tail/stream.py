"""The messages of a plain websocket, over as many connections as it takes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from deploy.cli.errors import NotThere, Unavailable
from deploy.cli.patience import LONGEST_PAUSE_S
from deploy.cli.problems import error_of
from shared.backoff import Backoff

# Above what a message may have: `POST /emit` takes 8 MiB.
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# How long the first welcome is waited for where it is asked for again.
FIRST_WITHIN_S = 10.0
# A server that has gone does not say goodbye.
_CLOSE_WITHIN_S = 1

Message = dict[str, Any]


class Stream:
    """Events of topics, after what `after` returns at each connection.

    Args:
        url: The websocket, without its parameters.
        topics: What to hear; none is everything.
        token: Who listens.
        after: Tells the offset to go on after.
        lost: Is told why, each time when a connection is lost.
    """

    def __init__(
        self,
        url: str,
        topics: Sequence[str],
        token: str | None,
        after: Callable[[], str | None],
        lost: Callable[[str], None],
    ) -> None:
        self._url = url
        self._topics = topics
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._after = after
        self._lost = lost
        self._welcomed = False
        self._backoff = Backoff(LONGEST_PAUSE_S)

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Give each message as it comes, for ever.

        Raises:
            NotThere: nothing answers, and never has.
            Unavailable: there is no emitter that takes us, and never was.
            Refused: the emitter does not take us.
        """
        loop = asyncio.get_running_loop()
        gives_up_at = loop.time() + FIRST_WITHIN_S
        while True:
            try:
                async with aclosing(self._connection()) as messages:
                    async for message in messages:
                        yield message
            except (NotThere, Unavailable) as error:
                # Who names a time may have room soon. But gateways name one, too, for emitters that are not there.
                if not (self._welcomed or (error.retry_after_s and loop.time() < gives_up_at)):
                    raise
                self._lost(str(error))
                await asyncio.sleep(max(error.retry_after_s, self._backoff.next_s()))

    async def _connection(self) -> AsyncGenerator[Message, None]:
        asked = {"topics": ",".join(self._topics), "after": self._after()}
        query = urlencode({name: value for name, value in asked.items() if value})
        try:
            async with connect(
                f"{self._url}?{query}",
                additional_headers=self._headers,
                compression=None,
                max_size=_MAX_MESSAGE_BYTES,
                close_timeout=_CLOSE_WITHIN_S,
            ) as websocket:
                async for message in self._read(websocket):
                    yield message
        except InvalidStatus as refusal:
            answer = refusal.response
            raise error_of(answer.status_code, bytes(answer.body or b""), answer.headers.get("Retry-After")) from None
        except (OSError, WebSocketException) as error:
            raise NotThere(f"nothing answers at {self._url}: {error or 'not in time'}") from None

    async def _read(self, websocket: ClientConnection) -> AsyncGenerator[Message, None]:
        try:
            while True:
                yield orjson.loads(await websocket.recv())
                self._welcomed = True
                self._backoff.reset()
        except ConnectionClosed as end:
            raise Unavailable(f"the connection was lost: {end}") from None
