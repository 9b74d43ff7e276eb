"""What sockets are sent: encoded once for all that are sent it, however each transport wants it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from ws_service.ingest.entry import Entry

_Form = TypeVar("_Form")


class Meta(TypedDict):
    """What tells of a numbered event, beside its payload."""

    seq: Annotated[int, Field(ge=1, description="1, 2, 3, ... without gaps over all topics, in commit order")]
    id: Annotated[str, Field(description="a name for it")]
    time: Annotated[
        str, Field(description="when the change was committed: RFC 3339", json_schema_extra={"format": "date-time"})
    ]


class Outgoing(NamedTuple):
    """An event for one socket, and the offset from which the socket can be resumed once it has heard it."""

    event: Entry
    offset: str

    @property
    def meta(self) -> Meta:
        """What tells of it."""
        event = self.event
        return {"seq": event.seq, "id": event.id, "time": event.time}


class _Encodable:
    """What is the same for many. `form` returns what `encode` makes of it, which is made once."""

    __slots__ = ("_forms",)

    def __init__(self) -> None:
        self._forms: dict[Callable[[Any], Any], Any] = {}

    def form(self, encode: Callable[[Any], _Form]) -> _Form:
        """Return it encoded."""
        forms = self._forms
        if encode not in forms:
            forms[encode] = encode(self)
        return forms[encode]  # type: ignore[no-any-return]  # as `encode` made it


class Part(_Encodable):
    """Events for one socket or for many, in order."""

    __slots__ = ("events",)

    def __init__(self, events: Sequence[Outgoing]) -> None:
        super().__init__()
        self.events = events


class Note(_Encodable):
    """An event without a number: sent now or never. `payload` and `meta` are JSON.

    Sockets that can are asked to acknowledge it if it has an `ack` number, the same for all of them.
    """

    __slots__ = ("ack", "event", "meta", "payload")

    def __init__(self, event: str, payload: bytes, meta: bytes = b"{}", ack: int | None = None) -> None:
        super().__init__()
        self.event = event
        self.payload = payload
        self.meta = meta
        self.ack = ack
