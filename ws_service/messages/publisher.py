"""`publish`: clients that talk to all who hear a topic."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict

from shared.identity.identity import Identity
from shared.problems import FieldError, invalid_fields, problem, summary
from shared.rooms import EventName
from shared.serving.http.errors import HttpError
from ws_service import metrics
from ws_service.errors import Refusal
from ws_service.ingest.member import Member
from ws_service.messages.courier import Courier
from ws_service.messages.dispatch import Dispatch
from ws_service.settings import Settings
from ws_service.topics.permissions import NotPermitted, Permissions
from ws_service.topics.topics import MAX_TOPIC_LENGTH, is_of_clients


class Publish(BaseModel):
    """What a client says."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    topic: Annotated[str, Field(max_length=MAX_TOPIC_LENGTH)]
    event: EventName
    payload: Any = None


class Published(TypedDict):
    """How many sockets were sent it."""

    reached: Annotated[int, Field(ge=0)]


class Sender(TypedDict):
    """Who has said it; `user` is the `sub` of the token."""

    sid: str
    user: str | None


PublishedMeta = TypedDict("PublishedMeta", {"topic": str, "from": Sender, "node": str})
"""What goes with what a client says. The emitter makes it."""


class _Refused(Exception):
    """What a client may not say, with the problem document that tells it why."""

    def __init__(self, status: HTTPStatus, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.problem = problem(status, detail, errors)


class Publisher:
    """Takes what clients publish. Of one client, one after the other: so they arrive as they were sent."""

    def __init__(self, settings: Settings, courier: Courier, permissions: Permissions) -> None:
        self._permissions = permissions
        self._settings = settings
        self._courier = courier

    async def publish(self, sender: Member, who: Identity, request: Any) -> Published | Refusal:
        """Send what a client says to all who hear the topic; return the acknowledgement."""
        try:
            reached = await self._courier.send(self._dispatch(sender, self._permitted(who, request)))
        except _Refused as refused:
            return {"error": refused.problem}
        except HttpError as error:
            return {"error": problem(error.status, error.detail)}
        metrics.published.inc()
        return {"reached": reached.reached}

    def _permitted(self, who: Identity, request: Any) -> Publish:
        try:
            wanted = Publish.model_validate(request)
        except ValidationError as error:
            errors = invalid_fields(error)
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, summary(errors), errors) from None
        if not is_of_clients(wanted.topic, self._settings.client_topics):
            raise _Refused(HTTPStatus.FORBIDDEN, "clients may not publish on this topic: STORECAST_CLIENT_TOPICS")
        try:
            self._permissions.check(frozenset({wanted.topic}), who)
        except NotPermitted as error:
            raise _Refused(HTTPStatus(error.status), str(error), [FieldError("topic", str(error))]) from None
        return wanted

    def _dispatch(self, sender: Member, wanted: Publish) -> Dispatch:
        try:
            payload = orjson.dumps(wanted.payload)
        except TypeError:
            detail = "payload: send JSON without binary data and without deep nesting"
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
        meta: PublishedMeta = {
            "topic": wanted.topic,
            "from": {"sid": sender.sid, "user": sender.user},
            "node": self._settings.instance,
        }
        return Dispatch(wanted.event, payload, orjson.dumps(meta), (wanted.topic,))
