"""When the system is ready: the replicas answer, one leads, the emitter has everything, the gateway reaches both."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from redis.exceptions import AuthenticationError, InvalidResponse, RedisError, ResponseError

from deploy.local.system import System
from deploy.local.urls import masked_url
from shared.errors import StartupError
from shared.serving.redis import closing
from ws_service.cluster.redis import open_redis

_LOOK_EVERY_SECONDS = 0.1
_ANSWER_WITHIN_SECONDS = 2.0


class Missing(NamedTuple):
    """What the start-up still waits for: the child that should do it, and what it has not done."""

    child: str
    reason: str


class _ReplicaHealth(BaseModel):
    leader: str | None
    log_end: int | None


class _EmitterHealth(BaseModel):
    position: int | None


async def wait_until(
    nothing_missing: Callable[[], Awaitable[Missing | None]], deadline: float, tell: Callable[[Missing], None]
) -> Missing | None:
    """Look again and again until nothing is missing; return what still is at the deadline (on the monotonic clock)."""
    while (missing := await nothing_missing()) is not None and time.monotonic() < deadline:
        tell(missing)
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return missing


def client() -> httpx.AsyncClient:
    """Return a client for the looks below; it ignores the proxies of the environment, which are not for loopback."""
    return httpx.AsyncClient(timeout=_ANSWER_WITHIN_SECONDS, trust_env=False)


async def first_missing(http: httpx.AsyncClient, system: System) -> Missing | None:
    """Look once at every part, in the order in which an event passes them. Changes nothing, makes no product."""
    return await _missing_on_the_event_path(http, system) or await _missing_at_the_front(http, system)


async def missing_redis(system: System) -> Missing | None:
    """Look whether the emitters will find their Redis.

    Raises:
        StartupError: it does not let us in, which waiting would not change.

    """
    name = system.redis.name if system.redis else f"Redis at {masked_url(system.redis_url)}"
    redis = open_redis(system.redis_url)
    async with closing(redis):
        try:
            await redis.ping()
        except (AuthenticationError, ResponseError, InvalidResponse) as error:
            raise StartupError(f"{name} does not let us in ({error}); give another --redis-url") from None
        except (RedisError, OSError) as error:
            return Missing(name, f"does not answer ({error})")
    return None


async def _missing_on_the_event_path(http: httpx.AsyncClient, system: System) -> Missing | None:
    log_end = 0
    for replica in system.replicas:
        health = _parsed(_ReplicaHealth, await _get(http, f"{replica.address}/readyz"))
        if health is None:
            return Missing(replica.name, "is not ready")
        if health.leader is None:
            return Missing(replica.name, "sees no replica that leads")
        log_end = max(log_end, health.log_end or 0)
    for emitter in system.emitters:
        position = _parsed(_EmitterHealth, await _get(http, f"{emitter.address}/readyz"))
        if position is None or position.position is None:
            return Missing(emitter.name, "has not been given the history")
        if position.position < log_end:
            return Missing(emitter.name, f"is at event {position.position} of {log_end}")
    return None


async def _missing_at_the_front(http: httpx.AsyncClient, system: System) -> Missing | None:
    if await _get(http, f"{system.front.address}/livez") is None:
        return Missing(system.front.name, f"does not answer for the product API at {system.front.address}")
    if not await _shakes_hands(http, f"{system.sockets_origin}{system.socket_path.rstrip('/')}/"):
        return Missing(system.sockets.name, f"does not answer for the sockets at {system.sockets_origin}")
    return None


_Health = TypeVar("_Health", bound=BaseModel)


async def _get(http: httpx.AsyncClient, url: str) -> str | None:
    try:
        response = await http.get(url)
    except httpx.TransportError:
        return None
    return response.text if response.is_success else None


def _parsed(model: type[_Health], body: str | None) -> _Health | None:
    try:
        return None if body is None else model.model_validate_json(body)
    except ValidationError:
        return None


async def _shakes_hands(http: httpx.AsyncClient, url: str) -> bool:
    # Engine.IO v4: "0" opens a session, "1" closes it. Left open it would count as a client until its ping is missed.
    url = f"{url}?EIO=4&transport=polling"
    opened = await _get(http, url)
    if opened is None or not opened.startswith("0{"):
        return False
    session = json.loads(opened[1:])["sid"]
    try:
        await http.post(f"{url}&sid={session}", content="1")
    except httpx.TransportError:
        return False
    return True
