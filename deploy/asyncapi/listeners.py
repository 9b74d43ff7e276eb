"""The channels of those who listen without Socket.IO: each event is one JSON object, the same for both."""

from collections.abc import Mapping
from typing import Any

from api_service.feed.numbering import PAYLOADS
from deploy.asyncapi.schemas import Schema, Schemas
from deploy.asyncapi.socketio import NO_META, NOTICES
from shared.events import Offset
from shared.problems import CONTENT_TYPE, Problem
from shared.rooms import PushedEventName
from ws_service.listeners.encoding import Numbered, Unnumbered
from ws_service.listeners.query import Parameters
from ws_service.messages.publisher import PublishedMeta
from ws_service.sockets.connection import WELCOME, Welcome

SSE = "sse"
RAW = "raw"

_MESSAGE = "message"
_REFUSED = "refused"


def channels(schemas: Schemas) -> dict[str, Schema]:
    """Return both channels."""
    objects = _objects(schemas)
    query = schemas.taken(Parameters)
    refused = {
        "summary": "The answer to a request that is refused, before anything else.",
        "contentType": CONTENT_TYPE,
        "payload": schemas.sent(Problem),
    }
    raw = {name: {"payload": payload} for name, payload in objects.items()}
    sse = {name: {**message, "headers": _fields(name, schemas.sent(Offset))} for name, message in raw.items()}
    return {
        SSE: {
            "address": "/sse",
            "title": "Server-sent events",
            "description": "`GET`; `Last-Event-ID` counts before `after`. A message's payload is the `data` of a "
            "server-sent event, its headers are the other fields. A client says nothing.",
            "servers": [{"$ref": "#/servers/http"}],
            "messages": {**sse, _REFUSED: refused},
        },
        RAW: {
            "address": "/raw",
            "title": "Plain websockets",
            "description": "Each text message is one JSON object. A client says nothing: it would be disconnected.",
            "servers": [{"$ref": "#/servers/websocket"}],
            "messages": {**raw, _REFUSED: refused},
            "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
        },
    }


def operations(channels: Mapping[str, Schema], schemas: Schemas) -> dict[str, Schema]:
    """Return what the emitter does on the channels."""
    tells = {
        f"tell_{name}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": "Greets a client, and tells it what it hears; what was committed, in the order of `seq`.",
            "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in channel["messages"]],
        }
        for name, channel in channels.items()
    }
    query = schemas.taken(Parameters)
    tells[f"tell_{SSE}"]["bindings"] = {"http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}}
    return tells


def _objects(schemas: Schemas) -> dict[str, Schema]:
    told = {
        event: _object(schemas, Unnumbered, event={"const": event}, payload=schemas.sent(payload), meta=NO_META)
        for event, payload in {WELCOME: Welcome, **NOTICES}.items()
    }
    told |= {
        event: _object(schemas, Numbered, event={"const": event}, payload=schemas.sent(payload))
        for event, payload in PAYLOADS.items()
    }
    meta = {"anyOf": [NO_META, schemas.sent(PublishedMeta)]}
    told[_MESSAGE] = _object(schemas, Unnumbered, event=schemas.sent(PushedEventName), meta=meta)
    return {name: schemas.name(f"{_camel(name)}Object", schema) for name, schema in told.items()}


def _object(schemas: Schemas, type_: type[Any], **own: Schema) -> Schema:
    """Return the schema of an object, with what its fields hold for one event."""
    general = schemas.inlined(type_)
    return {"type": "object", "properties": {**general["properties"], **own}, "required": general["required"]}


def _fields(event: str, offset: Schema) -> Schema:
    """Return the schema of the other fields of a server-sent event. Only a place in the log is an id."""
    name: Schema = {"type": "string"} if event == _MESSAGE else {"const": event}
    # Of a message that is called as something that a browser says itself, it is left out.
    required = [] if event == _MESSAGE else ["event"]
    fields: Schema = {"type": "object", "properties": {"event": name}, "required": required}
    if event in {WELCOME, *PAYLOADS}:
        fields["properties"]["id"] = offset
    if event in PAYLOADS:
        fields["required"].append("id")
    return fields


def _camel(name: str) -> str:
    return name.title().replace("_", "")
