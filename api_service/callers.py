"""Who calls, and whether it may: asked before the body is read, so that nobody unknown has us read anything."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from api_service.errors import Forbidden, Unauthorized, WrongHost
from api_service.settings import Settings
from shared.identity.bearer import bearer_token
from shared.identity.errors import BadToken, KeysAway
from shared.identity.identity import OPERATE, PRODUCTS_READ, Identity
from shared.identity.tokens import Tokens
from shared.openapi import BEARER
from shared.problems import FieldError
from shared.serving.http.errors import TooManyRequests, Unavailable
from shared.settings import is_loopback


def guarded_router(scope: str, **options: Any) -> APIRouter:
    """Return a router whose endpoints take a token with the scope; for reading only where reading is not public."""
    writes = scope != PRODUCTS_READ

    class Guarded(APIRoute):
        # FastAPI would read and parse the body before it asks any dependency.
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                request.state.caller = await _admit(request, scope)
                if writes:
                    await request.app.state.writes.count(request, request.state.caller)
                return await handler(request)

            return guarded

    # For the documentation alone.
    bearer = HTTPBearer(auto_error=False, scheme_name=BEARER, bearerFormat="JWT", description="its `scope` counts")
    responses: dict[int | str, dict[str, Any]] = {TooManyRequests.status: {}} if writes else {}
    if scope == OPERATE:
        responses[WrongHost.status] = {}
    return APIRouter(
        route_class=Guarded, dependencies=[Security(bearer, scopes=[scope])], responses=responses, **options
    )


async def _caller(request: Request) -> str:
    who: Identity = request.state.caller
    return "anyone" if who.subject is None else f"user:{who.subject}"


Caller = Annotated[str, Depends(_caller)]
"""Whose idempotency keys, or waiting messages, they are."""


async def _admit(request: Request, scope: str) -> Identity:
    settings: Settings = request.app.state.settings
    tokens: Tokens = request.app.state.tokens
    if scope == PRODUCTS_READ and settings.public_read:
        return tokens.identify_now(None)
    try:
        token = bearer_token(request.headers.get("authorization"))
        who = await tokens.identify(token)
    except BadToken as error:
        raise Unauthorized(str(error), ', error="invalid_token"') from None
    except KeysAway as error:
        raise Unavailable(str(error)) from None
    if who.may(scope):
        if scope == OPERATE and who.is_trusted:
            _demand_own_name(request)
        return who
    if token is None:
        raise Unauthorized(f"send a token with the scope {scope}: Authorization: Bearer <token>")
    raise Forbidden(scope)


def _demand_own_name(request: Request) -> None:
    """Refuse a page whose own name was made to lead here (DNS rebinding): to a browser it is of our origin."""
    host = request.headers.get("host", "")
    try:
        is_own = is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        is_own = False
    if not is_own:
        message = "without tokens only localhost, 127.0.0.1 or [::1] is operated"
        raise WrongHost(message, [FieldError("Host", message)])
