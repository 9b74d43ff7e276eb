"""The AsyncAPI document as a judge of what is really said."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from jsonschema_rs import Draft7Validator

from tests.wiretap import Packet

SOCKETIO = "socketio"


class Contract:
    """Holds what it is shown to the document, more strictly than a client may: a field that is not there is a drift.

    `seen` names the messages that it was shown, each with its channel.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = _closed(document)
        self.seen: set[tuple[str, str]] = set()

    @property
    def messages(self) -> set[tuple[str, str]]:
        """All messages of all channels."""
        return {
            (name, message) for name, channel in self._document["channels"].items() for message in channel["messages"]
        }

    def faults(self, channel: str, message: str, payload: Any, part: str = "payload") -> list[str]:
        """Return what the document has against a payload, or the headers, of a message."""
        messages = self._document["channels"][channel]["messages"]
        if message not in messages:
            return [f"{channel} has no message {message}"]
        schema = {"allOf": [messages[message][part]], "components": self._document["components"]}
        return [
            f"{channel} {message}: {each}"
            for each in Draft7Validator(schema, validate_formats=True).iter_errors(payload)
        ]

    def hold(self, channel: str, message: str, payload: Any, part: str = "payload") -> None:
        """Have the document agree to it."""
        faults = self.faults(channel, message, payload, part)
        assert not faults, "\n".join(faults)
        self.seen.add((channel, message))

    def hold_object(self, channel: str, data: Any, fields: dict[str, str] | None = None) -> None:
        """Have it agree to what a listener was told, with the other fields of a server-sent event."""
        named = data.get("event")
        message = named if (channel, named) in self.messages else "message"
        self.hold(channel, message, data)
        if fields is not None:
            self.hold(channel, message, fields, "headers")

    def hold_packets(self, packets: Iterable[Packet]) -> None:
        """Have it agree to the Socket.IO packets of both sides, and to no request that was refused as malformed."""
        asked: dict[int, dict[str, tuple[str, Any]]] = defaultdict(dict)
        for packet in packets:
            connection = asked[packet.connection]
            kind, number, data = _parsed(packet.text)
            match packet.is_of_client, kind:
                case True, "40":
                    connection["40"] = ("connect", data or {})
                case True, "42":
                    connection[number] = (data[0], data[1:])
                case True, "43":
                    self.hold(SOCKETIO, "acknowledgement", data)
                case False, "40":
                    self._judge(connection["40"], "connected", data, status=None)
                case False, "44":
                    self._judge(connection["40"], "connect_error", data, data["data"]["status"])
                case False, "42":
                    self.hold(SOCKETIO, self._named(data), data[1:])
                case False, "43":
                    error = data[0].get("error")
                    name = connection[number][0]
                    answer = "refused" if error else f"{name}_done"
                    self._judge(connection[number], answer, data, error and error["status"])

    def _judge(self, request: tuple[str, Any], answer: str, data: Any, status: int | None) -> None:
        self.hold(SOCKETIO, answer, data)
        if status == 422:
            assert self.faults(SOCKETIO, *request), f"the document permits what is malformed: {request}"
        elif status != 404:
            self.hold(SOCKETIO, *request)

    def _named(self, event: list[Any]) -> str:
        if (SOCKETIO, event[0]) in self.messages:
            return str(event[0])
        return "said" if event[2] else "message"


def _parsed(text: str) -> tuple[str, str, Any]:
    kind, rest = text[:2], text[2:]
    number = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    data = rest[len(number) :]
    return kind, number, json.loads(data) if data.startswith(("[", "{")) else None


def _closed(schema: Any) -> Any:
    """Return a document whose objects have no other fields than those that are named."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed["additionalProperties"] = False
    return closed
