"""Sessions of long-polling, by hand: which emitter a gateway leads a handshake to."""

import json
from http import HTTPStatus
from typing import Self

import httpx

HANDSHAKE = "/websocket-service/?EIO=4&transport=polling"


class Session:
    """A session of long-polling that a client opened, with the cookie that it was given."""

    def __init__(self, origin: str, opened: httpx.Response) -> None:
        self.cookie = opened.headers["Set-Cookie"]
        self.emitter = self.cookie.partition(";")[0]
        self._url = f"{origin}{HANDSHAKE}&sid={json.loads(opened.text[1:])['sid']}"

    @classmethod
    async def open(cls, origin: str, **headers: str) -> Self:
        """Shake hands."""
        return cls(origin, await ask(origin, **headers))

    async def close(self, emitter: str | None = None) -> HTTPStatus:
        """End the session, and return what came back; with the cookie of another `emitter`, it may not find it."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            answer = await http.post(self._url, content="1", headers={"Cookie": emitter or self.emitter})
        return HTTPStatus(answer.status_code)


async def ask(origin: str, **headers: str) -> httpx.Response:
    """Ask for a new session, with a client that has no cookies of its own."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.get(f"{origin}{HANDSHAKE}", headers=headers)


async def leads_to_all(origin: str, emitters: int) -> bool:
    """Tell whether a gateway leads handshakes to each of so many emitters, which it finds by checks of its own."""
    answers = [await ask(origin) for _ in range(2 * emitters)]
    if {answer.status_code for answer in answers} != {HTTPStatus.OK}:
        return False
    sessions = [Session(origin, answer) for answer in answers]
    for session in sessions:
        await session.close()
    return len({session.emitter for session in sessions}) == emitters
