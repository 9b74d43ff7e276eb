"""`GET /connections`: for operators."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from shared.emitter_api import CONNECTIONS_PATH, Connections
from ws_service.calls import OPERATORS
from ws_service.census.census import Census

router = APIRouter(dependencies=OPERATORS, tags=["operations"])

Name = Annotated[str, Query(min_length=1, max_length=200)]


@router.get(CONNECTIONS_PATH)
async def connections(
    request: Request,
    of: Annotated[list[Name], Query(max_length=100)] = [],  # noqa: B006  # FastAPI's own form
    *,
    topics: bool = True,
) -> Connections:
    """Count the sockets of all emitters; `of=user:42` says where that user is connected.

    `topics=false` leaves out the topics: with very many of them, counting takes an emitter some 50 ms.
    """
    census: Census = request.app.state.census
    return await census.take(of, topics=topics)
