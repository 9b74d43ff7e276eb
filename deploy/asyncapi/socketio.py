"""The channel of Socket.IO: events whose payload is the list of their arguments, and acknowledgements as replies."""

from typing import Any

from pydantic import JsonValue

from api_service.feed.numbering import PAYLOADS
from deploy.asyncapi.schemas import Schema, Schemas, arguments
from shared.events import Offset
from ws_service.engine.packets import Connected, ConnectError
from ws_service.errors import Refusal
from ws_service.ingest.outgoing import Meta
from ws_service.messages.publisher import Publish, Published, PublishedMeta
from ws_service.sockets.answers import Authenticated, Subscribed, Unsubscribed
from ws_service.sockets.connection import WELCOME, Welcome
from ws_service.sockets.requests import Authenticate, Handshake, Subscribe, Unsubscribe
from ws_service.sockets.standing import EXPIRED, EXPIRING, Expired, Expiring

NAME = "socketio"
NO_META: Schema = {"type": "object", "maxProperties": 0}
"""The schema of the meta of what has none."""

NOTICES = {EXPIRING: Expiring, EXPIRED: Expired}
"""What the server says about a client's token."""

_PACKET = "x-packet"
_FREE_NAME = "Its name is whatever the sender gives it, other than those of the channel's other events."

REQUESTS: dict[str, tuple[Any, Any, str]] = {
    "subscribe": (
        Subscribe,
        Subscribed,
        "Hears more topics. With `after`, it is acknowledged once their past since then was sent.",
    ),
    "unsubscribe": (Unsubscribe, Unsubscribed, "Hears fewer topics."),
    "publish": (Publish, Published, "Says something to all who hear a topic of clients (`STORECAST_CLIENT_TOPICS`)."),
    "authenticate": (Authenticate, Authenticated, "Shows a new token, which counts alone from then on."),
}
"""What a client may ask, how it is acknowledged when it is carried out, and what it means."""


def channel(schemas: Schemas) -> Schema:
    """Return the channel."""
    return {
        "address": "/",
        "title": "Socket.IO",
        "description": "The namespace of all sockets. A message's name is that of the Socket.IO event, its payload the "
        "list of the event's arguments; what is no event says so in `x-packet`.",
        "servers": [{"$ref": f"#/servers/{NAME}"}],
        "messages": {**_handshake(schemas), **_told(schemas), **_messages(schemas), **_requests(schemas)},
    }


def operations() -> dict[str, Schema]:
    """Return what the emitter does on the channel."""
    told = [WELCOME, *PAYLOADS, *NOTICES]
    asked = {
        name: _receives(name, [f"{name}_done", "refused"], description)
        for name, (_, _, description) in REQUESTS.items()
    }
    return {
        "connect": _receives("connect", ["connected", "connect_error"], "Takes a client, or refuses it."),
        "tell": _sends(told, "Greets a client, and tells it what was committed: in the order of `seq`, each once."),
        "deliver": {
            **_sends(["message"], "Delivers a message of another program, which may want to be acknowledged."),
            "reply": _reply(["acknowledgement"]),
        },
        "pass_on": _sends(["said"], "Delivers what a client has published on a topic."),
        **asked,
    }


def _handshake(schemas: Schemas) -> dict[str, Schema]:
    return {
        "connect": {
            "summary": "The client's CONNECT packet: its `auth`, which may be left out.",
            _PACKET: "CONNECT",
            "payload": schemas.taken(Handshake),
        },
        "connected": {"summary": "It is connected.", _PACKET: "CONNECT", "payload": schemas.sent(Connected)},
        "connect_error": {
            "summary": "It is refused: 422 names a field, 401 and 403 are about the token, 429 and 503 pass.",
            _PACKET: "CONNECT_ERROR",
            "payload": schemas.sent(ConnectError),
        },
    }


def _told(schemas: Schemas) -> dict[str, Schema]:
    meta, offset = schemas.sent(Meta), schemas.sent(Offset)
    told = {
        WELCOME: arguments(schemas.sent(Welcome)),
        **{event: arguments(schemas.sent(payload), meta, offset) for event, payload in PAYLOADS.items()},
        **{event: arguments(schemas.sent(notice), NO_META) for event, notice in NOTICES.items()},
    }
    return {event: {"name": event, "payload": payload} for event, payload in told.items()}


def _messages(schemas: Schemas) -> dict[str, Schema]:
    anything = schemas.sent(JsonValue)
    return {
        "message": {
            "summary": "A message without a number.",
            "description": "Its name is whatever the sender gives it.",
            "payload": arguments(anything, NO_META),
        },
        "acknowledgement": {
            "summary": "The client's acknowledgement of a message, with whatever arguments.",
            _PACKET: "ACK",
            "payload": schemas.taken(list[Any]),
        },
        "said": {
            "summary": "What a client has published.",
            "description": _FREE_NAME,
            "payload": arguments(anything, schemas.sent(PublishedMeta)),
        },
    }


def _requests(schemas: Schemas) -> dict[str, Schema]:
    messages: dict[str, Schema] = {}
    for name, (request, answer, _) in REQUESTS.items():
        messages[name] = {"name": name, "payload": arguments(schemas.taken(request))}
        messages[f"{name}_done"] = {_PACKET: "ACK", "payload": arguments(schemas.sent(answer))}
    return {
        **messages,
        "refused": {
            "summary": "The acknowledgement of a request that was not carried out, and of an event that there is not.",
            _PACKET: "ACK",
            "payload": arguments(schemas.sent(Refusal)),
        },
    }


def _sends(messages: list[str], summary: str) -> Schema:
    return {"action": "send", "channel": _CHANNEL, "summary": summary, "messages": _references(messages)}


def _receives(message: str, replies: list[str], summary: str) -> Schema:
    return {**_sends([message], summary), "action": "receive", "reply": _reply(replies)}


def _reply(messages: list[str]) -> Schema:
    return {"channel": _CHANNEL, "messages": _references(messages)}


def _references(messages: list[str]) -> list[Schema]:
    return [{"$ref": f"#/channels/{NAME}/messages/{message}"} for message in messages]


_CHANNEL = {"$ref": f"#/channels/{NAME}"}
