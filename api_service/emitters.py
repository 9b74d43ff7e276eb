"""Calls of the emitters on behalf of a request, one of them each time: the edge where httpx's errors become ours."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api_service.errors import EmitterDown, EmitterRefused
from api_service.settings import Settings
from shared.problems import FieldError
from shared.serving.requests import request_id_headers

_CONNECT_S = 2.0
# What an answer takes beyond what the emitter waits for itself.
_MARGIN_S = 5.0
_MOST_CONNECTIONS = 1_000
# Ours to put right, and not the caller's: it did not choose the secret or the address.
_MISCONFIGURED = frozenset({401, 403, 404, 405})

Answer = TypeVar("Answer", bound=BaseModel)


class _Problem(BaseModel):
    """An emitter's own problem document."""

    detail: str
    errors: list[FieldError] = []


class Emitters:
    """Calls any emitter: the one that answered last, and else the next that can be reached."""

    def __init__(self, http: httpx.AsyncClient, urls: Sequence[str]) -> None:
        self._http = http
        self._urls = deque(urls)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[Self]:
        """Keep connections open for as long as the context lasts. Nothing is connected before the first call."""
        authorization = {"Authorization": f"Bearer {settings.emitter_secret.get_secret_value()}"}
        limits = httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=20)
        async with httpx.AsyncClient(headers=authorization, limits=limits, trust_env=False) as http:
            yield cls(http, settings.emitter_urls)

    async def get(self, path: str, answer: type[Answer]) -> Answer:
        """Ask; raise EmitterDown or EmitterRefused."""
        return _read(await self._call("GET", path, None, 0), answer)

    async def post(self, path: str, body: BaseModel, answer: type[Answer], *, waits_s: float = 0) -> Answer:
        """Have something done, for which an emitter waits so long itself; raise EmitterDown or EmitterRefused."""
        return _read(await self._call("POST", path, body.model_dump_json(), waits_s), answer)

    async def _call(self, method: str, path: str, body: str | None, waits_s: float) -> httpx.Response:
        headers = request_id_headers() if body is None else {"Content-Type": "application/json", **request_id_headers()}
        timeout = httpx.Timeout(waits_s + _MARGIN_S, connect=_CONNECT_S)
        for _ in range(len(self._urls)):
            url = self._urls[0]
            try:
                response = await self._http.request(
                    method, f"{url}{path}", content=body, headers=headers, timeout=timeout
                )
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # It has not heard of the call: another may be asked.
                self._turn_from(url)
            except httpx.HTTPError:
                self._turn_from(url)
                raise EmitterDown("the emitter broke off: it may have been done, or not") from None
            else:
                # Another may be as it should be.
                if response.is_server_error or response.status_code in _MISCONFIGURED:
                    self._turn_from(url)
                return response
        raise EmitterDown("no emitter can be reached: nothing was done")

    def _turn_from(self, url: str) -> None:
        # For the next call. Unless someone else has turned to another already.
        if self._urls[0] == url:
            self._urls.rotate(-1)


def _read(response: httpx.Response, answer: type[Answer]) -> Answer:
    try:
        if response.is_success:
            return answer.model_validate_json(response.content)
        refusal = _Problem.model_validate_json(response.content)
    except ValidationError:
        raise EmitterDown("STORECAST_EMITTER_URL: what answers there is no emitter") from None
    if response.is_client_error and response.status_code not in _MISCONFIGURED:
        raise EmitterRefused(refusal.detail, refusal.errors, response.status_code)
    raise EmitterDown(f"the emitter cannot do it now: {refusal.detail}")
