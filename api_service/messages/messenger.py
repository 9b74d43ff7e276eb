"""Has an emitter send a message, and says whom it reached."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from api_service.emitters import Emitters
from api_service.messages.schemas import Message, room_of
from shared.emitter_api import EMIT_PATH, Reached
from shared.emitter_api import Message as EmitterMessage
from shared.metrics import limited
from shared.serving.http.errors import TooManyRequests

# The emitters have a thousand places for messages that wait, each for a minute at the most. One caller is not to have
# them all: by way of three replicas it has three quarters.
MAX_WAITING_EACH = 250


class Messenger:
    """Sends messages by way of any emitter."""

    def __init__(self, emitters: Emitters) -> None:
        self._emitters = emitters
        # How many messages of each caller wait for acknowledgements.
        self._waiting: Counter[str] = Counter()

    async def send(self, message: Message, caller: str) -> Reached:
        """Send a message; raise EmitterDown, EmitterRefused, or TooManyRequests where too many of a caller's wait."""
        with self._waits_for(caller) if message.ack_timeout_ms else nullcontext():
            return await self._send(message)

    async def _send(self, message: Message) -> Reached:
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

    @contextmanager
    def _waits_for(self, caller: str) -> Iterator[None]:
        if self._waiting[caller] >= MAX_WAITING_EACH:
            limited.labels("caller_acknowledgements").inc()
            raise TooManyRequests(f"{MAX_WAITING_EACH} messages of yours wait for acknowledgements already")
        self._waiting[caller] += 1
        try:
            yield
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]
