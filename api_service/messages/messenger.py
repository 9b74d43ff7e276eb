"""Has an emitter send a message, and says whom it reached."""

from api_service.emitters import Emitters
from api_service.messages.schemas import Message, room_of
from shared.emitter_api import EMIT_PATH, Reached
from shared.emitter_api import Message as EmitterMessage


class Messenger:
    """Sends messages by way of any emitter."""

    def __init__(self, emitters: Emitters) -> None:
        self._emitters = emitters

    async def send(self, message: Message) -> Reached:
        """Send a message; raise EmitterDown or EmitterRefused."""
        # Two recipients may be one room.
        recipients = {room_of(recipient): recipient for recipient in message.to}
        wanted = EmitterMessage(
            event=message.event,
            payload=message.payload,
            to=list(recipients),
            ack_timeout_ms=message.ack_timeout_ms,
        )
        waits_s = (message.ack_timeout_ms or 0) / 1000
        reached = await self._emitters.post(EMIT_PATH, wanted, Reached, waits_s=waits_s)
        if reached.not_connected is not None:
            reached.not_connected = [recipients.get(room, room) for room in reached.not_connected]
        return reached
