"""The document: https://www.asyncapi.com/docs/reference/specification/v3.0.0."""

from deploy.asyncapi import listeners, socketio
from deploy.asyncapi.schemas import Schema, Schemas
from shared.settings import ServiceSettings

_DESCRIPTION = """\
Every committed change of a product is told to every subscriber once, in commit order. `docs/protocol.md` has it in \
prose: how a client comes back to where it was, and what tokens do. The servers are one gateway, which behind TLS \
speaks https and wss."""


def document() -> Schema:
    """Return it."""
    schemas = Schemas()
    channels = listeners.channels(schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Storecast: what subscribers see",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            socketio.NAME: _server("socket.io", ["auth"], "The stock clients, by websocket or long-polling."),
            "http": _server("http", ["bearer", "query"], "Server-sent events."),
            "websocket": _server("ws", ["bearer", "query"], "Plain websockets."),
        },
        "channels": {socketio.NAME: socketio.channel(schemas), **channels},
        "operations": {**socketio.operations(), **listeners.operations(channels, schemas)},
        "components": {"schemas": dict(sorted(schemas.named.items())), "securitySchemes": _SECURITY},
    }


def _server(protocol: str, security: list[str], description: str) -> Schema:
    return {
        "host": "{host}",
        "pathname": "{path}",
        "protocol": protocol,
        "description": description,
        "variables": {
            "host": {"default": "127.0.0.1:8080", "description": "the gateway"},
            "path": {"default": _PATH, "description": "STORECAST_SOCKET_PATH"},
        },
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in security],
    }


_PATH = ServiceSettings.model_fields["socket_path"].default

_OPTIONAL = "May be left out where anybody may hear the products (`STORECAST_PUBLIC_READ`): then it opens more topics."

_SECURITY = {
    "auth": {
        "type": "apiKey",
        "in": "password",
        "description": f"A JSON Web Token, as `token` in the `auth` of the handshake. {_OPTIONAL}",
    },
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _OPTIONAL},
    "query": {"type": "httpApiKey", "in": "query", "name": "token", "description": "Where no header can be sent."},
}
