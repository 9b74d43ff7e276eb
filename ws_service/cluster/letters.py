"""What emitters tell each other: letters that all of them read, in one order for all.

A letter is not numbered: it is heard now, or late, or by nobody if it is older than a minute or Redis was emptied.
"""

from typing import Any, NamedTuple

import orjson

from shared.serving.http.errors import BodyTooLarge
from ws_service.cluster.redis import Fields, Streams, translated

LETTERS = "storecast:letters"

KEPT_S = 60.0
"""How old letters may become. By time and not by count: what there is room for depends on how large they are."""

MAX_LETTER_BYTES = 4 * 1024 * 1024

_KIND, _TO, _HEAD, _PAYLOAD = b"k", b"t", b"h", b"p"
_NOTHING = b"0-0"


class Letter(NamedTuple):
    """`head` is whatever JSON can hold; `payload` is passed on as it is. `to` is one node, or empty for all."""

    kind: str
    head: dict[str, Any]
    payload: bytes = b""
    to: str = ""


class LetterStream:
    """The Redis Stream of letters, as one node has it."""

    def __init__(self, redis: Streams, own_id: str) -> None:
        self._redis = redis
        self._own_id = own_id
        # Redis' own clock, as the newest id tells it: ours may differ.
        self._now_ms = 0

    async def write(self, letter: Letter) -> bytes:
        """Add a letter and return its id; raise RedisUnavailable, BodyTooLarge."""
        head = orjson.dumps(letter.head)
        if len(head) + len(letter.payload) > MAX_LETTER_BYTES:
            raise BodyTooLarge(f"at most {MAX_LETTER_BYTES} bytes can be handed to other emitters")
        fields = {_KIND: letter.kind, _TO: letter.to, _HEAD: head, _PAYLOAD: letter.payload}
        with translated():
            number = await self._redis.xadd(LETTERS, fields, minid=self._oldest)
        self._now_ms, _ = order_of(number)
        return number

    async def trim(self) -> None:
        """Forget what is too old; raise RedisUnavailable.

        Writing does so, too, but a Redis that is full refuses to write.
        """
        with translated():
            await self._redis.xtrim(LETTERS, minid=self._oldest)

    async def end(self) -> bytes:
        """Return the id of the newest letter; raise RedisUnavailable."""
        with translated():
            newest = await self._redis.xrevrange(LETTERS, count=1)
        return newest[0][0] if newest else _NOTHING

    def read(self, fields: Fields) -> Letter | None:
        """Read a letter; None for one to another node, which is not looked into."""
        to = fields[_TO].decode()
        if to not in {"", self._own_id}:
            return None
        return Letter(fields[_KIND].decode(), orjson.loads(fields[_HEAD]), fields[_PAYLOAD], to)

    @property
    def _oldest(self) -> str:
        return str(max(0, self._now_ms - int(KEPT_S * 1000)))


def order_of(number: bytes) -> tuple[int, int]:
    """Return the order of a letter by its id: `<milliseconds>-<number>`."""
    milliseconds, _, number = number.partition(b"-")
    return int(milliseconds), int(number)
