"""What emitters tell each other: letters that all of them read, in one order for all.

A letter is not numbered: it is heard now, or late, or by nobody if Redis is emptied before.
"""

from typing import Any, NamedTuple

import orjson

from ws_service.cluster.redis import Fields, Streams, translated

LETTERS = "storecast:letters"
_KEEP = 10_000

_KIND, _HEAD, _PAYLOAD = b"k", b"h", b"p"
_NOTHING = b"0-0"


class Letter(NamedTuple):
    """`head` is whatever JSON can hold; `payload` is for somebody else and is passed on as it is."""

    kind: str
    head: dict[str, Any]
    payload: bytes = b""


class LetterStream:
    """The Redis Stream of letters."""

    def __init__(self, redis: Streams) -> None:
        self._redis = redis

    async def write(self, letter: Letter) -> bytes:
        """Add a letter and return its id; raise RedisUnavailable."""
        fields = {_KIND: letter.kind, _HEAD: orjson.dumps(letter.head), _PAYLOAD: letter.payload}
        with translated():
            return await self._redis.xadd(LETTERS, fields, maxlen=_KEEP)

    async def end(self) -> bytes:
        """Return the id of the newest letter; raise RedisUnavailable."""
        with translated():
            newest = await self._redis.xrevrange(LETTERS, count=1)
        return newest[0][0] if newest else _NOTHING


def letter_of(fields: Fields) -> Letter:
    """Read a letter."""
    return Letter(fields[_KIND].decode(), orjson.loads(fields[_HEAD]), fields[_PAYLOAD])
