"""How clients' requests are acknowledged that were carried out."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class Unsubscribed(TypedDict):
    """The topics that a socket hears now."""

    topics: list[str]


class Subscribed(Unsubscribed):
    """The topics that a socket hears now."""

    recovered: Annotated[bool, Field(description="whether all that was asked for with `after` was sent")]


class Authenticated(TypedDict):
    """Who a socket is now, and until when."""

    user: Annotated[str | None, Field(description="the `sub` of the token")]
    expires_at: Annotated[str, Field(description="RFC 3339", json_schema_extra={"format": "date-time"})]
