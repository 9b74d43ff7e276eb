"""Has an emitter send a message, and says whom it reached: the edge where httpx's errors become ours."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import httpx
from pydantic import BaseModel, ValidationError

from api_service.errors import EmitterDown, EmitterRefused
from api_service.messages.schemas import Message, room_of
from api_service.settings import Settings
from shared.emitter_api import EMIT_PATH, Reached
from shared.emitter_api import Message as EmitterMessage
from shared.problems import FieldError
from shared.serving.requests import request_id_headers

_CONNECT_S = 2.0
# What an answer takes beyond the wait for acknowledgements.
_MARGIN_S = 5.0
_MOST_CONNECTIONS = 1_000
# Ours to put right, and not the caller's: it did not choose the secret or the address.
_MISCONFIGURED = frozenset({401, 403, 404, 405})


class _Problem(BaseModel):
    """An emitter's own problem document."""

    detail: str
    errors: list[FieldError] = []


class Messenger:
    """Sends messages by way of any emitter: the one that took the last, and else the next that can be reached."""

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str]) -> None:
        self._http = http
        self._urls = deque(urls)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[Self]:
        """Keep connections open for as long as the context lasts. Nothing is connected before the first message."""
        authorization = {"Authorization": f"Bearer {settings.emitter_secret.get_secret_value()}"}
        limits = httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=20)
        async with httpx.AsyncClient(headers=authorization, limits=limits, trust_env=False) as http:
            yield cls(http, settings.emitter_urls)

    async def send(self, message: Message) -> Reached:
        """Send a message; raise EmitterDown or EmitterRefused."""
        # Two recipients may be one room.
        recipients = {room_of(recipient): recipient for recipient in message.to}
        wanted = EmitterMessage(
            event=message.event,
            payload=message.payload,
            to=list(recipients),
            ack_timeout_ms=message.ack_timeout_ms,
        )
        response = await self._post(wanted)
        reached = _reached(response)
        if reached.not_connected is not None:
            reached.not_connected = [recipients.get(room, room) for room in reached.not_connected]
        return reached

    async def _post(self, message: EmitterMessage) -> httpx.Response:
        body, headers = message.model_dump_json(), {"Content-Type": "application/json", **request_id_headers()}
        deadline = httpx.Timeout((message.ack_timeout_ms or 0) / 1000 + _MARGIN_S, connect=_CONNECT_S)
        for _ in range(len(self._urls)):
            url = self._urls[0]
            try:
                response = await self._http.post(f"{url}{EMIT_PATH}", content=body, headers=headers, timeout=deadline)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # It has not heard of the message: another may be asked.
                self._turn_from(url)
            except httpx.HTTPError:
                self._turn_from(url)
                raise EmitterDown("the emitter broke off: the message may have been sent, or not") from None
            else:
                if response.is_server_error:
                    self._turn_from(url)
                return response
        raise EmitterDown("no emitter can be reached: nothing was sent")

    def _turn_from(self, url: str) -> None:
        # For the next message. Unless someone else has turned to another already.
        if self._urls[0] == url:
            self._urls.rotate(-1)


def _reached(response: httpx.Response) -> Reached:
    try:
        if response.is_success:
            return Reached.model_validate_json(response.content)
        refusal = _Problem.model_validate_json(response.content)
    except ValidationError:
        raise EmitterDown("STORECAST_EMITTER_URL: what answers there is no emitter") from None
    if response.is_client_error and response.status_code not in _MISCONFIGURED:
        raise EmitterRefused(refusal.detail, refusal.errors, response.status_code)
    raise EmitterDown(f"the emitter cannot send it now: {refusal.detail}")
