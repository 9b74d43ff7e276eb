"""Reads the Socket.IO packets of clients, to the letter of https://socket.io/docs/v4/socket-io-protocol.

python-socketio's own decoder takes much that is none, and raises what it happens to raise for the rest.
"""

import re
from typing import Any

import orjson
from socketio import packet
from socketio.packet import Packet

MAX_ATTACHMENTS = 10

_PACKET = re.compile(r"([0-6])(?:(?<=[56])(\d+)-)?(/[^,]*,?)?(\d*)(.*)", re.ASCII | re.DOTALL)
# Names that a client's own socket uses for what is no event.
_RESERVED = {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
# The largest number that JavaScript counts with.
_MAX_ID = 2**53 - 1
_DIGITS = len(str(_MAX_ID))
_BINARY = {packet.BINARY_EVENT, packet.BINARY_ACK}
_EVENTS = {packet.EVENT, packet.BINARY_EVENT}
_ACKS = {packet.ACK, packet.BINARY_ACK}


class Malformed(Exception):
    """A message that is no Socket.IO packet."""


class Incomplete:
    """A packet whose attachments have not all come, and how much it takes until now."""

    def __init__(self, packet: Packet, size: int) -> None:
        self.packet = packet
        self.size = size

    def attach(self, attachment: bytes) -> bool:
        """Add an attachment; return whether the packet is complete now."""
        packet = self.packet
        packet.attachments.append(attachment)
        self.size += len(attachment)
        if len(packet.attachments) < packet.attachment_count:
            return False
        try:
            packet.data = _with(packet.data, packet.attachments)
        except RecursionError:
            raise Malformed("nested too deeply") from None
        return True


def decode(text: str) -> Packet:
    """Read a packet. One with binary attachments is not complete without them: `Incomplete`."""
    match = _PACKET.fullmatch(text)
    if match is None:
        raise Malformed(text[:100])
    kind, attachments, namespace, ack, data = match.groups()
    decoded = Packet(int(kind), namespace=namespace.removesuffix(",") if namespace else "/")
    if decoded.packet_type in _BINARY:
        if attachments is None or not 1 <= len(attachments) <= _DIGITS or not 1 <= int(attachments) <= MAX_ATTACHMENTS:
            raise Malformed(text[:100])
        decoded.attachment_count = int(attachments)
    if ack:
        if len(ack) > _DIGITS or int(ack) > _MAX_ID:
            raise Malformed(text[:100])
        decoded.id = int(ack)
    if data:
        try:
            decoded.data = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Malformed(text[:100]) from None
    if not _is_valid(decoded.packet_type, decoded.data, has_data=bool(data)):
        raise Malformed(text[:100])
    return decoded


def _is_valid(kind: int, data: Any, *, has_data: bool) -> bool:
    if not has_data:
        return kind not in _EVENTS  # an event has a name at least
    if kind == packet.CONNECT:
        return isinstance(data, dict)
    if kind in _EVENTS:
        return isinstance(data, list) and len(data) > 0 and _is_name(data[0])
    if kind in _ACKS:
        return isinstance(data, list)
    return bool(kind == packet.CONNECT_ERROR)


def _is_name(name: object) -> bool:
    if isinstance(name, str):
        return name not in _RESERVED
    return isinstance(name, int | float) and not isinstance(name, bool)


def _with(data: Any, attachments: list[bytes]) -> Any:
    if isinstance(data, list):
        return [_with(each, attachments) for each in data]
    if not isinstance(data, dict):
        return data
    if data.get("_placeholder") is not True:
        return {key: _with(value, attachments) for key, value in data.items()}
    number = data.get("num")
    if not isinstance(number, int) or not 0 <= number < len(attachments):
        raise Malformed("a placeholder for no attachment")
    return attachments[number]
