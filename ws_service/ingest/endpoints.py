"""`POST /events`, `GET /events/position`: where the relay hands over what was committed."""

import structlog
from fastapi import APIRouter, Request, Response

from shared.emitter_api import EVENTS_PATH, POSITION_PATH, Batch, EmitterPosition
from shared.journey import log_events
from shared.openapi import reference_to
from shared.serving.http.errors import Invalid
from ws_service import metrics
from ws_service.calls import SERVICES, Body, parse
from ws_service.ingest.entry import Unencodable
from ws_service.ingest.intake import Intake

router = APIRouter(dependencies=SERVICES, tags=["relay"])

_log = structlog.get_logger(__name__)


@router.post(EVENTS_PATH, responses={409: {"model": EmitterPosition}}, openapi_extra=reference_to(Batch))
async def take(body: Body, request: Request, response: Response) -> EmitterPosition:
    """Take the next events; 409 with the position where they do not follow it."""
    intake: Intake = request.app.state.intake
    batch = parse(Batch, body)
    try:
        taken, position = await intake.take(batch)
    except Unencodable as error:
        raise Invalid(str(error)) from None
    if taken:
        log_events(_log.debug if batch.history else _log.info, "taken", batch.events)
    else:
        metrics.conflicts.inc()
        response.status_code = 409
    return position


@router.get(POSITION_PATH)
async def position(request: Request) -> EmitterPosition:
    """Say how far the emitter has come."""
    intake: Intake = request.app.state.intake
    return await intake.position()
