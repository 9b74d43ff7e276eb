"""What a numbered event is on the wire: encoded once for all the sockets that hear it."""

from collections import OrderedDict

from engineio import packet as engine_packet
from socketio import packet as socket_packet

from shared.events import Event

# Live events go to all sockets at the same time: it is enough to remember the newest.
MAX_FRAMES = 1_000


class Frames:
    """Engine.IO packets by the event and the offset that they carry; the least recently sent are forgotten."""

    def __init__(self) -> None:
        self._frames: OrderedDict[tuple[str, int], engine_packet.Packet] = OrderedDict()

    def of(self, event: Event, offset: str) -> engine_packet.Packet:
        """Return the packet of `(payload, meta, offset)` under the event's name (Socket.IO protocol 5)."""
        key = (offset, event.seq)
        if (frame := self._frames.get(key)) is None:
            frame = self._frames[key] = _encoded(event, offset)
            if len(self._frames) > MAX_FRAMES:
                self._frames.popitem(last=False)
        else:
            self._frames.move_to_end(key)
        return frame


def _encoded(event: Event, offset: str) -> engine_packet.Packet:
    meta = {"seq": event.seq, "id": event.id, "time": event.time}
    message = socket_packet.Packet(socket_packet.EVENT, [event.event, event.payload, meta, offset])
    return engine_packet.Packet(engine_packet.MESSAGE, message.encode())
