"""What a listener asks for in its URL, read as the same Handshake that a socket sends."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, ValidationError
from typing_extensions import TypedDict

from shared.events import Position, is_seq
from shared.identity.identity import ANYONE, Identity
from shared.problems import FieldError, invalid_fields
from shared.serving.http.errors import Invalid
from ws_service.sockets.requests import Handshake
from ws_service.topics.topics import Choice

LAST_EVENT_ID = "Last-Event-ID"


class Parameters(TypedDict, total=False):
    """What may stand in the URL."""

    topics: Annotated[str, Field(description="what to hear, with commas between: `products` if it is not given")]
    after: Annotated[str, Field(description="an offset, after which to begin; or a number of the present epoch")]
    token: Annotated[str, Field(description="who listens; better sent as `Authorization: Bearer`")]


_KNOWN = tuple(Parameters.__annotations__)


class Query(NamedTuple):
    """The handshake, the number after which it goes on where that came without an epoch, who asks, and from where."""

    handshake: Handshake
    seq: int | None
    who: Identity = ANYONE
    address: str = ""

    @classmethod
    def read(
        cls,
        query: Mapping[str, str],
        last_event_id: str | None = None,
        token: str | None = None,
        choice: Choice | None = None,
    ) -> Self:
        """Read `topics=a,b&after=EPOCH:SEQ&token=`.

        What the client remembers itself, `last_event_id`, comes before `after`; the `token` of its headers, which no
        log of a proxy has, before the URL's.

        Raises:
            Invalid: it names the parameter.
        """
        if unknown := [name for name in query if name not in _KNOWN]:
            raise Invalid.fields([FieldError(name, f"use {' or '.join(_KNOWN)}") for name in unknown[:1]])
        asked: dict[str, Any] = {"token": query.get("token") if token is None else token}
        if "topics" in query:
            asked["topics"] = query["topics"].split(",")
        # An empty one is none: that is what a program sends which has heard nothing yet.
        after = last_event_id or query.get("after") or None
        seq = int(after) if after and is_seq(after) else None
        if seq is None:
            asked["after"] = after
        try:
            return cls(Handshake.model_validate(asked, context=choice), seq)
        except ValidationError as error:
            names = {"after": LAST_EVENT_ID} if last_event_id else {}
            raise Invalid.fields(
                [each._replace(field=names.get(each.field, each.field)) for each in invalid_fields(error)]
            ) from None

    def at(self, now: Position | None) -> Handshake:
        """Return the handshake: a number without an epoch is one of the epoch that the emitter is in."""
        if self.seq is None or now is None:
            return self.handshake
        return self.handshake.model_copy(update={"after": Position(now.epoch, self.seq)})
